/** The adapter of this engine: the protocol's calls in terms of its public API. See docs/CONFORMANCE.md. */
import { readFileSync } from 'node:fs';
import {
  EncodedValue,
  encodeValue,
  Grasp,
  GraspError,
  RawCbor,
  type Asa,
  type AsaLocator,
  type Listening,
  type NegotiateResult,
  type NegotiationSession,
  type Objective,
} from '../../../src/index.js';
import { NotSupported, serveAdapter, type Arguments } from './serve.js';

const PACKAGE = new URL('../../../../package.json', import.meta.url);
const { name, version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { name: string; version: string };

/** What the calls name an objective with. */
interface ObjectiveArgument {
  readonly name: string;
  readonly negotiate?: boolean;
  readonly synchronize?: boolean;
  readonly dryRun?: boolean;
  readonly discoverable?: boolean;
  readonly loopCount?: number;
  readonly value?: string;
  readonly raw?: string;
}

interface LocatorArgument {
  readonly kind: AsaLocator['kind'];
  readonly address: string;
  readonly protocol: number | null;
  readonly port: number | null;
  readonly interface?: string;
}

/** Parts of the API that the types of an earlier version do not have. */
type LaterAsa = Asa & {
  synchronize(
    objective: string | Objective,
    options: object,
  ): Promise<{ name: string; encodedValue: Uint8Array; loopCount: number }>;
  flood(items: readonly object[], options: object): Promise<void>;
  getFlood(objective: string | Objective): Promise<
    {
      name: string;
      encodedValue: Uint8Array | undefined;
      loopCount: number;
      locator: AsaLocator | null;
      expiresAt: number;
    }[]
  >;
  expireFlood(entry: object): Promise<void>;
};
type LaterObjective = Objective & {
  listenSynchronize(value: unknown): Promise<void>;
  stopSynchronize(): Promise<void>;
};

/** A registered objective and what listens for it. */
class Registered {
  readonly objective: Objective;
  listening: Promise<Listening> | undefined;
  readonly #arrived: NegotiationSession[] = [];
  readonly #waiting: {
    resolve: (session: NegotiationSession) => void;
    reject: (error: Error) => void;
  }[] = [];

  constructor(objective: Objective) {
    this.objective = objective;
  }

  /** Listening goes on between two calls: a request that comes there is kept for the next one. */
  async listen(): Promise<void> {
    this.listening ??= this.objective.onNegotiate(
      (session) =>
        new Promise<void>((resolve) => {
          session.signal.addEventListener('abort', () => resolve(), { once: true });
          const next = this.#waiting.shift();
          if (next) next.resolve(session);
          else this.#arrived.push(session);
        }),
      { concurrency: 10_000, onError: (error) => process.stderr.write(`${String(error)}\n`) },
    );
    try {
      const listening = await this.listening;
      void listening.ended.then(() => this.#end());
    } catch (error) {
      this.listening = undefined;
      throw error;
    }
  }

  next(): Promise<NegotiationSession> {
    const arrived = this.#arrived.shift();
    if (arrived) return Promise.resolve(arrived);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async stop(): Promise<void> {
    const listening = await this.listening;
    this.listening = undefined;
    await listening?.stop();
  }

  #end(): void {
    this.listening = undefined;
    const code = this.objective.deregistered ? 13 : 3;
    for (const { reject } of this.#waiting.splice(0)) reject(new GraspError(code, 'no longer listening'));
  }
}

/** An engine with what was registered at it. */
class Running {
  readonly grasp: Grasp;
  readonly asas = new Map<number, Asa>();
  readonly registered = new Map<string, Registered>();

  constructor(grasp: Grasp) {
    this.grasp = grasp;
  }
}

const engines = new Map<string, Running>();
const sessions = new Map<string, NegotiationSession>();
let lastSession = 0;

function running(args: Arguments): Running {
  const engine = engines.get(args['engine'] as string);
  if (!engine) throw new NotSupported('calls before the engine is started');
  return engine;
}

function asaOf(args: Arguments): LaterAsa {
  const asa = running(args).asas.get(args['asa'] as number);
  if (!asa) throw new NotSupported('an ASA is an object: there is no handle to be mistaken');
  return asa as LaterAsa;
}

const objectiveOf = (args: Arguments): ObjectiveArgument => args['objective'] as ObjectiveArgument;
const key = (args: Arguments, objective = objectiveOf(args)): string =>
  `${args['asa'] as number} ${objective.name}`;

/** Parts of the API that an earlier version does not have. */
function need(object: object, method: string): void {
  if (!(method in object)) throw new NotSupported(`${method} is not there yet`);
}

function registeredOf(args: Arguments, objective = objectiveOf(args)): Registered {
  asaOf(args);
  const found = running(args).registered.get(key(args, objective));
  if (!found) throw new NotSupported('an objective is an object: there is none before registration');
  return found;
}

function sessionOf(args: Arguments): NegotiationSession {
  const session = sessions.get(args['session'] as string);
  if (!session) throw new NotSupported('a session is an object: there is no handle to be mistaken');
  return session;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function valueOf({ value, raw }: ObjectiveArgument): unknown {
  if (raw !== undefined) return new RawCbor(Buffer.from(raw, 'hex'));
  return value === undefined ? null : new EncodedValue(Buffer.from(value, 'hex'));
}

function objectiveAnswer(of: { name: string; loopCount: number; dryRun?: boolean }, value: unknown): object {
  const { name: objectiveName, loopCount, dryRun } = of;
  const encoded = value instanceof Uint8Array ? value : undefined;
  return { name: objectiveName, loopCount, dryRun, value: encoded && hex(encoded) };
}

function sessionAnswer(session: NegotiationSession): object {
  const { objective, loopCount, dryRun, encodedValue } = session;
  const answer = objectiveAnswer({ name: objective, loopCount, dryRun }, encodedValue);
  const { value } = session;
  return value instanceof RawCbor ? { ...answer, raw: hex(value.bytes) } : answer;
}

function keep(session: NegotiationSession): string {
  for (const [known, each] of sessions) if (each === session) return known;
  const handle = `s${++lastSession}`;
  sessions.set(handle, session);
  return handle;
}

function answerOf(result: NegotiateResult, objective: ObjectiveArgument): object {
  if (result.state === 'declined') return result;
  if (result.state === 'accepted') {
    const { name: objectiveName, loopCount = 6 } = objective;
    const accepted = objectiveAnswer({ name: objectiveName, loopCount }, encodeValue(result.value));
    return { state: 'accepted', objective: accepted };
  }
  return {
    state: 'offered',
    session: keep(result.session),
    objective: sessionAnswer(result.session),
  };
}

const protocolName = (protocol: number | null): AsaLocator['protocol'] =>
  protocol === 6 ? 'tcp' : protocol === 17 ? 'udp' : protocol;
const protocolNumber = (protocol: AsaLocator['protocol']): number | null =>
  protocol === 'tcp' ? 6 : protocol === 'udp' ? 17 : protocol;

/** A locator as a peer. */
function toPeer(argument: unknown): AsaLocator | undefined {
  if (argument === undefined || argument === null) return undefined;
  const { protocol, ...rest } = argument as LocatorArgument;
  return { ...rest, protocol: protocolName(protocol), diverted: false, expiresAt: 0 };
}

/** A locator to be announced or flooded. */
function toLocator(
  argument: LocatorArgument | null,
): (Omit<LocatorArgument, 'protocol'> & { protocol: AsaLocator['protocol'] }) | null {
  if (argument === null) return null;
  const { kind, address, protocol, port } = argument;
  return { kind, address, protocol: protocolName(protocol), port };
}

function remaining(expiresAt: number): number | null {
  return expiresAt === 0 ? null : Math.round(expiresAt - Date.now());
}

function locatorAnswer(locator: AsaLocator): object {
  const { protocol, expiresAt, ...rest } = locator;
  return { ...rest, protocol: protocolNumber(protocol), expiresInMs: remaining(expiresAt) };
}

/** Without undefined members, which the engine's options do not want. */
function options(from: Arguments, ...names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((each) => from[each] !== undefined).map((each) => [each, from[each]]),
  );
}

serveAdapter(
  {
    hello: () => ({
      protocol: 1,
      name,
      version,
      // `restart`: engines can be stopped and started again in this process.
      capabilities: ['restart', 'overlap', 'raw-cbor', 'several-engines', 'no-security', 'tcp-discovery'],
    }),
    start: async (args) => {
      const label = args['engine'] as string;
      if (engines.has(label)) throw new Error(`engine ${label} runs already`);
      const { insecure } = args as { insecure?: boolean };
      if (args['dull'] !== undefined) throw new NotSupported('DULL instances');
      if (args['rapid'] === true) throw new NotSupported('M_SYNCH or M_NEGOTIATE in answer to a discovery');
      if (args['ipv4'] === true) throw new NotSupported('IPv4');
      const grasp = await Grasp.start({
        substrate: {
          kind: 'plain',
          interfaces: args['interfaces'] as string[],
          ...(insecure ? { insecure } : {}),
        },
        sessionWorkers: 1,
      });
      engines.set(label, new Running(grasp));
    },
    stop: async (args) => {
      const engine = running(args);
      engines.delete(args['engine'] as string);
      await engine.grasp.close();
    },
    stopAll: async () => {
      const all = [...engines.values()];
      engines.clear();
      sessions.clear();
      await Promise.all(all.map((each) => each.grasp.close()));
    },
    status: async (args) => {
      const { interfaces, security } = await running(args).grasp.status();
      return { interfaces, security };
    },
    registerAsa: async (args) => {
      const engine = running(args);
      const asa = await engine.grasp.registerAsa(args['name'] as string);
      engine.asas.set(asa.handle, asa);
      return { handle: asa.handle };
    },
    deregisterAsa: async (args) => {
      const asa = asaOf(args);
      if (asa.name !== args['name']) throw new NotSupported('an ASA is an object: its name is known');
      await asa.deregister();
    },
    registerObjective: async (args) => {
      const asa = asaOf(args);
      const {
        name: objectiveName,
        negotiate,
        synchronize,
        dryRun,
        loopCount,
        discoverable,
        ...rest
      } = objectiveOf(args);
      const locators = args['locators'] as LocatorArgument[] | undefined;
      const objective = await asa.registerObjective({
        name: objectiveName,
        ...options(
          { negotiate, synchronize, dryRun, loopCount },
          'negotiate',
          'synchronize',
          'dryRun',
          'loopCount',
        ),
        ...options(args, 'ttlMs', 'discoverable', 'overlap', 'local', 'rapid', 'maxMessageBytes'),
        ...(locators ? { locators: locators.map((each) => toLocator(each)!) } : {}),
        ...(discoverable === false ? { floodOnly: true } : {}),
        ...(rest.value === undefined && rest.raw === undefined
          ? {}
          : { value: valueOf(rest as ObjectiveArgument) }),
      });
      running(args).registered.set(key(args), new Registered(objective));
    },
    deregisterObjective: async (args) => {
      const { objective } = registeredOf(args);
      running(args).registered.delete(key(args));
      await objective.deregister();
    },
    discover: async (args, event) => {
      const asa = asaOf(args);
      const { name: objectiveName, loopCount } = objectiveOf(args);
      if (args['unicast'] !== undefined) throw new NotSupported('discovery sent unicast');
      const known = running(args).registered.get(key(args))?.objective ?? objectiveName;
      const locators: object[] = [];
      const found = asa.discover(known, {
        ...options({ loopCount }, 'loopCount'),
        ...options(args, 'timeoutMs', 'minimumTtlMs', 'flush'),
      });
      for await (const locator of found) {
        locators.push(locatorAnswer(locator));
        event('locator', { locator: locatorAnswer(locator) });
      }
      return { locators };
    },
    requestNegotiate: async (args) => {
      const { objective } = registeredOf(args);
      const { loopCount, dryRun } = objectiveOf(args);
      const result = await asaOf(args).requestNegotiate(objective, valueOf(objectiveOf(args)), {
        ...options({ loopCount, dryRun }, 'loopCount', 'dryRun'),
        ...options(args, 'timeoutMs'),
        peer: toPeer(args['peer']),
      });
      return answerOf(result, objectiveOf(args));
    },
    listenNegotiate: async (args, event) => {
      const registered = registeredOf(args);
      await registered.listen();
      event('listening');
      const session = await registered.next();
      return { session: keep(session), objective: sessionAnswer(session) };
    },
    stopListenNegotiate: async (args) => registeredOf(args).stop(),
    negotiateStep: async (args) => {
      const { loopCount, dryRun } = objectiveOf(args);
      const session = sessionOf(args);
      const result = await session.negotiateStep(valueOf(objectiveOf(args)), {
        ...options({ loopCount, dryRun }, 'loopCount', 'dryRun'),
        ...options(args, 'timeoutMs'),
      });
      return answerOf(result, { ...objectiveOf(args), name: session.objective });
    },
    negotiateWait: (args) => sessionOf(args).negotiateWait(args['timeoutMs'] as number),
    endNegotiate: (args) => {
      const { accept, reason } = args as { accept: boolean; reason?: string };
      return sessionOf(args).endNegotiate(accept ? { accept } : { accept, reason });
    },
    sendInvalid: (args) => {
      const info = args['info'] as string | undefined;
      return sessionOf(args).sendInvalid(info === undefined ? undefined : Buffer.from(info, 'hex'));
    },
    synchronize: async (args) => {
      const asa = asaOf(args);
      const { name: objectiveName, loopCount } = objectiveOf(args);
      const known = running(args).registered.get(key(args))?.objective ?? objectiveName;
      need(asa, 'synchronize');
      const got = await asa.synchronize(known, {
        ...options({ loopCount }, 'loopCount'),
        ...options(args, 'timeoutMs'),
        peer: toPeer(args['peer']),
      });
      return { objective: objectiveAnswer(got, got.encodedValue) };
    },
    listenSynchronize: async (args) => {
      const objective = registeredOf(args).objective as LaterObjective;
      await objective.listenSynchronize(valueOf(objectiveOf(args)));
    },
    stopListenSynchronize: (args) => (registeredOf(args).objective as LaterObjective).stopSynchronize(),
    flood: async (args) => {
      const tagged = args['objectives'] as {
        objective: ObjectiveArgument;
        locator: LocatorArgument | null;
      }[];
      const items = tagged.map(({ objective, locator }) => ({
        objective: registeredOf(args, objective).objective,
        value: valueOf(objective),
        locator: toLocator(locator),
        ...options({ loopCount: objective.loopCount }, 'loopCount'),
      }));
      await asaOf(args).flood(items, { ttlMs: args['ttlMs'] });
    },
    getFlood: async (args) => {
      const entries = await asaOf(args).getFlood(objectiveOf(args).name);
      return {
        floods: entries.map((entry) => ({
          objective: objectiveAnswer(entry, entry.encodedValue),
          locator: entry.locator && locatorAnswer(entry.locator),
          expiresInMs: remaining(entry.expiresAt),
        })),
      };
    },
    expireFlood: async (args) => {
      const locator = toLocator(args['locator'] as LocatorArgument | null);
      await asaOf(args).expireFlood({ name: objectiveOf(args).name, locator });
    },
  },
  async () => {
    await Promise.all([...engines.values()].map((each) => each.grasp.close()));
  },
);
