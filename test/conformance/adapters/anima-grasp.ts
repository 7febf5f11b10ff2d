/**
 * The adapter of this engine: the protocol's calls by the facade that has the functions of RFC 8991, on engines
 * started by the public API. See docs/CONFORMANCE.md.
 */
import { readFileSync } from 'node:fs';
import {
  asa_locator,
  createGraspi,
  EncodedValue,
  encodeValue,
  objective,
  session_handle,
  tagged_objective,
} from '../../../src/api/graspi/index.js';
import { Grasp, type GraspOptions } from '../../../src/index.js';
import { announce, announced } from './announcing.js';
import { NotSupported, serveAdapter, type Arguments } from './serve.js';

type Facade = ReturnType<typeof createGraspi>;

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
  readonly kind: 'ipv6' | 'ipv4' | 'fqdn' | 'uri';
  readonly address: string;
  readonly protocol: number | null;
  readonly port: number | null;
  readonly interface?: string;
}

/** An engine with its facade. */
interface Running {
  readonly grasp: Grasp;
  readonly facade: Facade;
}

const engines = new Map<string, Running>();
const sessions = new Map<string, session_handle>();
/** Loop counts received last, for calls that leave it to the adapter. */
const received = new WeakMap<session_handle, { loopCount: number; dry: boolean }>();
type Report = (name: string, content?: object) => void;

/** A polled call is recognised by the very objective it was made with. */
const polled = new Map<string, objective>();
let lastSession = 0;

function running(args: Arguments): Running {
  const engine = engines.get(args['engine'] as string);
  if (!engine) throw new Error(`engine ${String(args['engine'])} does not run`);
  return engine;
}

/** The waiting calls: plain, or as polls. */
const waiting = (args: Arguments): Pick<Facade, keyof Facade['polling']> =>
  args['poll'] === undefined ? running(args).facade : running(args).facade.polling;

const asaOf = (args: Arguments): number => args['asa'] as number;
const objectiveOf = (args: Arguments): ObjectiveArgument => args['objective'] as ObjectiveArgument;

/** An error code as the protocol wants it. */
function check(args: Arguments, code: number): void {
  if (code !== 0) throw Object.assign(new Error(running(args).facade.last_error?.message ?? ''), { code });
}

function toObjective(argument: ObjectiveArgument): objective {
  const made = new objective(argument.name);
  made.neg = argument.negotiate ?? false;
  made.synch = argument.synchronize ?? false;
  made.dry = argument.dryRun ?? false;
  made.discoverable = argument.discoverable ?? true;
  if (argument.loopCount !== undefined) made.loop_count = argument.loopCount;
  if (argument.raw !== undefined) made.value = Buffer.from(argument.raw, 'hex');
  else if (argument.value !== undefined) made.value = new EncodedValue(Buffer.from(argument.value, 'hex'));
  return made;
}

/** The objective of a waiting call. */
function asked(args: Arguments): objective {
  const key = args['poll'];
  if (typeof key !== 'string') return toObjective(objectiveOf(args));
  const known = polled.get(key) ?? toObjective(objectiveOf(args));
  polled.set(key, known);
  return known;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function fromObjective({ name: objectiveName, loop_count, dry, value }: objective): object {
  const answer = { name: objectiveName, loopCount: loop_count, dryRun: dry, value: hex(encodeValue(value)) };
  // Raw CBOR reaches an ASA as its bytes, and a byte string too.
  return value instanceof Uint8Array ? { ...answer, raw: hex(value) } : answer;
}

function toLocator(argument: LocatorArgument): asa_locator {
  const { kind, address, protocol, port } = argument;
  const made = new asa_locator(address, argument.interface ?? null);
  made.protocol = protocol;
  made.port = port;
  made.is_ipaddress = kind === 'ipv6' || kind === 'ipv4';
  made.is_fqdn = kind === 'fqdn';
  made.is_uri = kind === 'uri';
  return made;
}

const peerOf = (given: unknown): asa_locator | null => (given ? toLocator(given as LocatorArgument) : null);

const remaining = (expire: number): number | null => (expire === 0 ? null : Math.round(expire - Date.now()));

function fromLocator(found: asa_locator): object {
  const { locator: address, protocol, port, diverted, expire, is_fqdn, is_uri, ifi } = found;
  const kind = is_uri ? 'uri' : is_fqdn ? 'fqdn' : address.includes(':') ? 'ipv6' : 'ipv4';
  const place = found.interface === '' ? {} : { interface: found.interface, interfaceIndex: ifi };
  return { kind, address, protocol, port, ...place, diverted, expiresInMs: remaining(expire) };
}

function keep(session: session_handle, offer: objective): string {
  received.set(session, { loopCount: offer.loop_count, dry: offer.dry });
  for (const [known, each] of sessions) if (each === session) return known;
  const handle = `s${++lastSession}`;
  sessions.set(handle, session);
  return handle;
}

/** A handle the adapter never gave is one the engine never gave. */
const sessionOf = (args: Arguments): session_handle =>
  sessions.get(args['session'] as string) ?? new session_handle();

/**
 * A waiting call with a callback, each call of which is an event; answered when the call itself has returned: at once,
 * with noReply.
 */
async function calledBack(name: keyof Facade['polling'], args: Arguments, event: Report): Promise<object> {
  const { facade } = running(args);
  const hear = (code: number): void => event('callback', { code });
  const [asa, wanted, peer] = [asaOf(args), asked(args), peerOf(args['peer'])];
  const timeout = (args['timeoutMs'] as number | undefined) ?? null;
  const calls: Readonly<Partial<Record<typeof name, () => Promise<readonly [number, ...unknown[]]>>>> = {
    discover: () => facade.discover(asa, wanted, timeout, { discovery_received: hear }),
    request_negotiate: () =>
      facade.request_negotiate(asa, wanted, peer, timeout, { negotiate_step_received: hear }),
    negotiate_step: () =>
      facade.negotiate_step(asa, sessionOf(args), stepObjective(args), timeout, {
        negotiate_step_received: hear,
      }),
    listen_negotiate: () => facade.listen_negotiate(asa, wanted, { negotiate_step_received: hear }),
    synchronize: () => facade.synchronize(asa, wanted, peer, timeout, { synchronization_received: hear }),
  };
  const [code] = await calls[name]!();
  if (code !== 2) check(args, code || 3);
  return {};
}

/** The objective of a step: what the call leaves to the adapter is as received last. */
function stepObjective(args: Arguments): objective {
  const offer = asked({ ...args, objective: { negotiate: true, ...objectiveOf(args) } });
  const last = received.get(sessionOf(args));
  if (objectiveOf(args).loopCount === undefined && last) offer.loop_count = last.loopCount;
  if (objectiveOf(args).dryRun === undefined && last) offer.dry = last.dry;
  return offer;
}

type NegotiateResult = Awaited<ReturnType<Facade['request_negotiate']>>;

function answerOf(args: Arguments, result: NegotiateResult): object {
  const [code, session, offer, reason] = result;
  if (code === 1) return { state: 'declined', reason: reason ?? '' };
  check(args, code);
  if (session === null) return { state: 'accepted', objective: fromObjective(offer!) };
  return { state: 'offered', session: keep(session, offer!), objective: fromObjective(offer!) };
}

/** Only what is there: the facade's keywords do not want undefined. */
function given(args: Arguments, ...names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((each) => args[each] !== undefined).map((each) => [each, args[each]]),
  );
}

serveAdapter(
  {
    hello: () => ({
      protocol: 1,
      name,
      version,
      capabilities: [
        'restart',
        'overlap',
        'raw-cbor',
        'several-engines',
        'no-security',
        'ipv4',
        'poll',
        'callback',
        'notify',
        'report',
        'tcp-discovery',
        'rapid',
        'dull',
        'announce',
      ],
    }),
    start: async (args) => {
      const label = args['engine'] as string;
      const { insecure, ipv4, interfaces } = args as {
        insecure?: boolean;
        ipv4?: boolean;
        interfaces: string[];
      };
      const options: GraspOptions = {
        substrate: {
          kind: 'plain',
          interfaces,
          ...(insecure === true ? { insecure } : {}),
          ...(ipv4 === true ? { families: ['ipv6', 'ipv4'] } : {}),
        },
        sessionWorkers: 1,
        machines: process.argv.includes('interpreted') ? 'interpreted' : 'compiled',
        ...(args['dull'] === undefined ? {} : { dull: { objectives: args['dull'] as string[] } }),
        ...(args['rapid'] === true ? { rapidAnswers: true } : {}),
      };
      const grasp = await Grasp.start(options);
      engines.set(label, { grasp, facade: createGraspi(grasp) });
    },
    stop: async (args) => {
      const { grasp, facade } = running(args);
      engines.delete(args['engine'] as string);
      await facade.close();
      await grasp.close();
    },
    stopAll: async () => {
      const all = [...engines.values()];
      engines.clear();
      sessions.clear();
      polled.clear();
      for (const { grasp, facade } of all) {
        await facade.close();
        await grasp.close();
      }
    },
    status: async (args) => {
      const { interfaces, security } = await running(args).grasp.status();
      return { interfaces, security };
    },
    report: async () => {
      const all = await Promise.all(
        [...engines].map(async ([label, { grasp }]) => {
          const { threads, counters } = await grasp.status();
          const restarted = threads.flatMap((each) =>
            each.restarts ? [`${each.name} ×${each.restarts}`] : [],
          );
          const counted = Object.entries(counters).flatMap(([what, n]) => (n ? [`${what} ${n}`] : []));
          return `${label}: restarted ${restarted.join(', ') || 'nothing'}; ${counted.join(', ')}`;
        }),
      );
      return { text: all.join('\n') };
    },
    registerAsa: async (args) => {
      const [code, handle] = await running(args).facade.register_asa(args['name'] as string);
      check(args, code);
      return { handle };
    },
    deregisterAsa: async (args) =>
      check(args, await running(args).facade.deregister_asa(asaOf(args), args['name'] as string)),
    registerObjective: async (args) => {
      if (args['maxMessageBytes'] !== undefined) throw new NotSupported('a larger message size, by this API');
      const { ttlMs, locators } = args as { ttlMs?: number; locators?: LocatorArgument[] };
      const keywords = {
        ...(ttlMs === undefined ? {} : { ttl: ttlMs }),
        ...given(args, 'discoverable', 'overlap', 'local', 'rapid'),
        ...(locators ? { locators: locators.map(toLocator) } : {}),
      };
      const { facade } = running(args);
      check(args, await facade.register_objective(asaOf(args), toObjective(objectiveOf(args)), keywords));
    },
    deregisterObjective: async (args) =>
      check(
        args,
        await running(args).facade.deregister_objective(asaOf(args), toObjective(objectiveOf(args))),
      ),
    discover: async (args, event) => {
      if (args['callback'] === true) return calledBack('discover', args, event);
      if (args['unicast'] !== undefined) throw new NotSupported('discovery sent unicast');
      const { timeoutMs, minimumTtlMs, flush } = args as {
        timeoutMs?: number;
        minimumTtlMs?: number;
        flush?: boolean;
      };
      const [code, found] = await waiting(args).discover(asaOf(args), asked(args), timeoutMs ?? null, {
        ...(flush === undefined ? {} : { flush }),
        ...(minimumTtlMs === undefined ? {} : { minimum_TTL: minimumTtlMs }),
      });
      check(args, code);
      return { locators: found.map(fromLocator) };
    },
    requestNegotiate: async (args, event) => {
      if (args['callback'] === true) return calledBack('request_negotiate', args, event);
      const timeout = (args['timeoutMs'] as number | undefined) ?? null;
      const call = waiting(args).request_negotiate(asaOf(args), asked(args), peerOf(args['peer']), timeout);
      return answerOf(args, await call);
    },
    listenNegotiate: async (args, event) => {
      if (args['callback'] === true) return calledBack('listen_negotiate', args, event);
      const { grasp } = running(args);
      const { name: wanted } = objectiveOf(args);
      const listens = async (): Promise<number> =>
        (await grasp.status()).objectives.find((each) => each.name === wanted)?.listening.length ?? 0;
      let done = false;
      const call = waiting(args)
        .listen_negotiate(asaOf(args), asked(args))
        .finally(() => (done = true));
      // The call itself does not say when it is in effect; the engine's status does.
      while (!done && (await listens()) === 0);
      if (!done) event('listening');
      const [code, session, request] = await call;
      check(args, code);
      return { session: keep(session!, request!), objective: fromObjective(request!) };
    },
    stopListenNegotiate: async (args) =>
      check(
        args,
        await running(args).facade.stop_listen_negotiate(asaOf(args), toObjective(objectiveOf(args))),
      ),
    negotiateStep: async (args, event) => {
      if (args['callback'] === true) return calledBack('negotiate_step', args, event);
      const session = sessionOf(args);
      const offer = stepObjective(args);
      const timeout = (args['timeoutMs'] as number | undefined) ?? null;
      return answerOf(args, await waiting(args).negotiate_step(asaOf(args), session, offer, timeout));
    },
    notify: async (args) => {
      const [code, changed, calls] = await running(args).facade.notify(asaOf(args));
      check(args, code);
      const handles = [...sessions].flatMap(([handle, each]) => (changed.includes(each) ? [handle] : []));
      return { sessions: handles, calls: calls.map(({ call }) => call) };
    },
    negotiateWait: async (args) => {
      const { facade } = running(args);
      check(args, await facade.negotiate_wait(asaOf(args), sessionOf(args), args['timeoutMs'] as number));
    },
    endNegotiate: async (args) => {
      const { accept, reason } = args as { accept: boolean; reason?: string };
      const { facade } = running(args);
      check(args, await facade.end_negotiate(asaOf(args), sessionOf(args), accept, reason ?? null));
    },
    sendInvalid: async (args) => {
      const info = args['info'] as string | undefined;
      const bytes = info === undefined ? null : Buffer.from(info, 'hex');
      check(args, await running(args).facade.send_invalid(asaOf(args), sessionOf(args), bytes));
    },
    synchronize: async (args, event) => {
      if (args['callback'] === true) return calledBack('synchronize', args, event);
      const timeout = (args['timeoutMs'] as number | undefined) ?? null;
      const call = waiting(args).synchronize(asaOf(args), asked(args), peerOf(args['peer']), timeout);
      const [code, found] = await call;
      check(args, code);
      return { objective: fromObjective(found!) };
    },
    listenSynchronize: async (args) =>
      check(args, await running(args).facade.listen_synchronize(asaOf(args), toObjective(objectiveOf(args)))),
    stopListenSynchronize: async (args) =>
      check(
        args,
        await running(args).facade.stop_listen_synchronize(asaOf(args), toObjective(objectiveOf(args))),
      ),
    flood: async (args) => {
      const items = args['objectives'] as { objective: ObjectiveArgument; locator: LocatorArgument | null }[];
      const tagged = items.map(
        (each) => new tagged_objective(toObjective(each.objective), each.locator && toLocator(each.locator)),
      );
      check(args, await running(args).facade.flood(asaOf(args), args['ttlMs'] as number, tagged));
    },
    getFlood: async (args) => {
      const [code, found] = await running(args).facade.get_flood(asaOf(args), toObjective(objectiveOf(args)));
      check(args, code);
      return {
        floods: found!.map(({ objective: each, source }) => ({
          objective: fromObjective(each),
          locator: source && fromLocator(source),
          expiresInMs: source ? remaining(source.expire) : null,
        })),
      };
    },
    announce: async (args) => announce(running(args).grasp, args),
    announced: async (args) => ({ announced: await announced(running(args).grasp, args['kind'] as string) }),
    expireFlood: async (args) => {
      const locator = args['locator'] as LocatorArgument | null;
      const entry = new tagged_objective(toObjective(objectiveOf(args)), locator && toLocator(locator));
      check(args, await running(args).facade.expire_flood(asaOf(args), entry));
    },
  },
  async () => {
    await Promise.all([...engines.values()].map((each) => each.grasp.close()));
  },
);
