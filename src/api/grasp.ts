import { pathToFileURL } from 'node:url';
import { ErrorCode, GraspError, validateName } from '../protocol/index.js';
import { loading, type Clock } from '../runtime/index.js';
import { SubstrateError } from '../substrate/types.js';
import { connect, serve } from '../workers/control.js';
import {
  DEFAULT_LIMITS,
  type ClientControl,
  type EngineControl,
  type EngineStatus,
  type EnvironmentChange,
  type Limits,
  type WorkerChange,
} from '../workers/engine-control.js';
import { nodeClock } from '../workers/node-clock.js';
import { cryptoRandom, inlinePlacement, workerPlacement } from '../workers/placement.js';
import { isPort } from '../workers/ports.js';
import { dullInstance, type DullOptions, type SubstrateChoice } from '../workers/substrate-init.js';
import { Supervisor } from '../workers/supervisor.js';
import { Asa } from './asa.js';
import type { AsaInit, AsaModule, AsaThreadControl } from './asa-thread.js';
import { Client } from './client.js';
import { publish, Publisher } from './diagnostics.js';
import { EngineInspection, type InspectOptions, type Inspection } from './inspection.js';

export { DEFAULT_LIMITS, type Limits };

export interface GraspOptions {
  /** What carries the messages: real interfaces (`plain`), or a node of a {@link SimulatedNetwork}. */
  readonly substrate: SubstrateChoice;
  /**
   * `worker` (default): core, listener and sessions in threads of their own. `inline`: everything in the calling
   * thread, through the same mailboxes; for small devices, debugging, virtual time.
   */
  readonly placement?: 'worker' | 'inline' | undefined;
  /** Only with `inline`: time, real or virtual. */
  readonly clock?: Clock | undefined;
  /** Most session workers; default max(1, min(4, cores − 1)). Started when first needed. */
  readonly sessionWorkers?: number | undefined;
  /** ms without an answer until an engine worker is replaced; default 500. */
  readonly hungAfterMs?: number | undefined;
  /** The same for workers that hold ASA code; default 10,000. */
  readonly asaHungAfterMs?: number | undefined;
  /** Single limits; the others keep their defaults. */
  readonly limits?: Partial<Limits> | undefined;
  /**
   * How the machines of sessions and the multicast handler are run: `compiled` (default), by tables made at start from their definition, or
   * `interpreted`, by xstate itself. Both do the same; compiled is faster.
   */
  readonly machines?: 'compiled' | 'interpreted' | undefined;
  /** Testing: hear the engine's own multicasts too. Default false. */
  readonly listenSelf?: boolean | undefined;
  /**
   * Rapid mode of RFC 8990, for objectives registered with `rapid`: a discovery that asks for the value of a
   * synchronization objective is answered with that value (M_SYNCH, §2.5.6.3) instead of a locator, and one that holds
   * the value of a negotiation objective is given to the ASA that listens, as a request (§2.5.5.1). Such a node is not found by peers that put a value into
   * every discovery and understand locators only, as the public Python prototype. Default false (§2.5.5.1, §2.5.6.3).
   */
  readonly rapidAnswers?: boolean | undefined;
  /**
   * A process warning (`GraspSyntaxWarning`) for every kind of message that was refused for its form, with the
   * reason; at most one of a kind per second and thread. Default false; `status().counters` has the numbers always.
   */
  readonly syntaxDiagnostics?: boolean | undefined;
  /** For tests of other nodes. `forceDivert`: own locators are told in O_DIVERT, those of link scope excepted. */
  readonly testing?: { readonly forceDivert?: boolean | undefined } | undefined;
  /**
   * Makes this engine a DULL instance (RFC 8990 §2.5.2, RFC 8994 §6.4): unprotected, for one link, and for these
   * objectives only, as it is used to find the neighbours with whom protection can be set up. `insecure` is not
   * needed. One engine per interface; it shares nothing with others. It discovers, floods, and answers discoveries with
   * the link-local address; every loop count it sends is 1. It never sends or takes requests (16), relays nothing and
   * ignores what comes with another loop count, with another objective, or not from a link-local address. Over IPv6
   * only, unless `families` says otherwise.
   *
   * Interfaces are never chosen by default: leave out tunnels, and those of the ACP itself (RFC 8994 §6.4).
   */
  readonly dull?: DullOptions | undefined;
  /** Testing, only with `inline`: messages between actors are copied as between threads. Default false. */
  readonly cloneMessages?: boolean | undefined;
}

/** An ASA module that runs in a worker of its own; see {@link Grasp.spawnAsa}. */
export interface SpawnedAsa {
  readonly name: string;
  /** Thread of the worker; 0 with inline placement. */
  readonly threadId: number;
  /**
   * What the module's default export returned. Rejects with what it threw, with 41 (engineLost) if its worker was
   * lost, with 42 (closed) if that was because `stop` or `close` found it still running after a second.
   */
  readonly done: Promise<unknown>;
  /** Aborts the module's signal, ends its sessions and its worker, deregisters the ASA. */
  stop(): Promise<void>;
}

/** The client of the thread that called `Grasp.start`. */
const MAIN_CLIENT = 'main';

/**
 * A GRASP engine (RFC 8990) with its API (RFC 8991). Several may run in one process; nothing is global.
 *
 * @example
 * const grasp = await Grasp.start({ substrate: { kind: 'plain', interfaces: ['eth0'], insecure: true } });
 * const asa = await grasp.registerAsa('Gray');
 * for await (const locator of asa.discover('EX3')) console.log(locator);
 * await grasp.close();
 */
export class Grasp implements AsyncDisposable {
  readonly #supervisor: Supervisor;
  readonly #client: Client;
  readonly #spawned = new Set<SpawnedAsa>();
  readonly #publisher: Publisher;
  #closing: Promise<void> | undefined;

  private constructor(supervisor: Supervisor, client: Client) {
    this.#supervisor = supervisor;
    this.#client = client;
    const { clock } = client;
    this.#publisher = new Publisher({ supervisor, grasp: this, clock, looks: clock === nodeClock });
  }

  /**
   * Starts an engine; resolves when it answers and sends. Rejects: 3 bad option, unknown interface, `dull` without
   * exactly one interface; 41 a worker that cannot start, its reason as the cause. Without `insecure: true` a plain
   * substrate has no security, and calls give 16.
   */
  static async start(options: GraspOptions): Promise<Grasp> {
    const { placement = 'worker', clock = nodeClock } = options;
    if (placement === 'worker' && clock !== nodeClock) {
      throw new GraspError(ErrorCode.unspec, 'a clock of your own needs placement: "inline"');
    }
    if (placement !== 'worker' && placement !== 'inline') {
      throw new GraspError(ErrorCode.unspec, `placement is "worker" or "inline", not ${String(placement)}`);
    }
    checkLimits(options.limits);
    checkOptions(options);
    const instance = options.dull && dullInstance(options.substrate, checkedDull(options.dull));
    // Events of the start come before there is an engine to name.
    const early: (WorkerChange | EnvironmentChange)[] = [];
    let tell = (event: WorkerChange | EnvironmentChange): void => void early.push(event);
    let supervisor: Supervisor;
    try {
      supervisor = await Supervisor.start({
        substrate: instance?.substrate ?? options.substrate,
        dull: instance?.rules,
        placement:
          placement === 'inline'
            ? inlinePlacement(clock, cryptoRandom, { clone: options.cloneMessages ?? false })
            : workerPlacement((init) =>
                init.role === 'asa'
                  ? new URL('../api/asa-entry.js', import.meta.url)
                  : new URL('../../threads/workers/entry.js', import.meta.url),
              ),
        sessionWorkers: options.sessionWorkers,
        hungAfterMs: options.hungAfterMs,
        asaHungAfterMs: options.asaHungAfterMs,
        limits: options.limits,
        listenSelf: options.listenSelf,
        rapidAnswers: options.rapidAnswers,
        forceDivert: options.testing?.forceDivert,
        syntaxDiagnostics: options.syntaxDiagnostics,
        machines: options.machines,
        onEvent: (event) => tell(event),
      });
    } catch (error) {
      if (error instanceof SubstrateError)
        throw new GraspError(ErrorCode.unspec, error.message, { cause: error });
      throw error;
    }
    const client = new Client({
      control: supervisor.controlFor(MAIN_CLIENT),
      clock,
      window: supervisor.limits.sessionWindow,
      host: () => supervisor.sessionHostFor(),
    });
    try {
      await supervisor.attachClient(MAIN_CLIENT, client);
    } catch (error) {
      await supervisor.close();
      throw error;
    }
    const grasp = new Grasp(supervisor, client);
    tell = (event) => publish(event, grasp);
    early.forEach(tell);
    await grasp.#publisher.attached;
    return grasp;
  }

  /** Registers an ASA of this thread. Rejects: 3 not a name, 4 registry full, 5 name in use, 42 engine closed. */
  async registerAsa(name: string): Promise<Asa> {
    return new Asa(this.#client, name, await this.#client.control.registerAsa(name));
  }

  /**
   * Runs an ASA module in a worker of its own, together with its sessions. The module's default export is called
   * with `{ asa, data, signal }`; when it returns or throws, or its worker ends, the ASA is deregistered.
   *
   * `data` crosses by structuredClone. Rejects: 4, 5, 41, 42, and what the module throws while it is loaded.
   *
   * @example
   * const briggs = await grasp.spawnAsa(new URL('./briggs.js', import.meta.url), { name: 'Briggs', data: 400 });
   * await briggs.done;
   */
  async spawnAsa(url: URL | string, options: { name: string; data?: unknown }): Promise<SpawnedAsa> {
    const { name, data } = options;
    const href = url instanceof URL ? url.href : url.includes('://') ? url : pathToFileURL(url).href;
    const spawned =
      this.#supervisor.placement.kind === 'inline'
        ? await this.#spawnInline(href, name, data)
        : await this.#spawnWorker(href, name, data);
    this.#spawned.add(spawned);
    const forget = (): void => void this.#spawned.delete(spawned);
    spawned.done.then(forget, forget);
    return spawned;
  }

  /** @internal The time of this engine, for what is built on it. */
  get clock(): Clock {
    return this.#client.clock;
  }

  /** A snapshot: threads, actors by machine and state, queues, counters with reasons, limits. */
  status(): Promise<EngineStatus> {
    return this.#supervisor.status();
  }

  /**
   * Shows what the machines of every thread do and what they say to other nodes, from now on; any number of
   * inspections may run at once. While none does, nothing is made for it: see `docs/OBSERVABILITY.md`.
   * Throws GraspError 3 for options that mean nothing, 42 if the engine is closed.
   *
   * @example
   * const inspection = grasp.inspect({ machines: ['negotiationSession'], share: 0.01 });
   * for await (const items of inspection) console.log(items.length, inspection.share, inspection.dropped);
   */
  inspect(options: InspectOptions = {}): Inspection {
    return new EngineInspection(this.#supervisor, options);
  }

  /** Ends sessions, listeners and threads; what waits rejects with 42. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#publisher.stop();
    await Promise.all([...this.#spawned].map((each) => each.stop()));
    this.#client.close(new GraspError(ErrorCode.closed, 'the engine is closed'));
    await this.#supervisor.close();
  }

  async #spawnInline(href: string, name: string, data: unknown): Promise<SpawnedAsa> {
    const asa = await this.registerAsa(name);
    const controller = new AbortController();
    let done: Promise<unknown>;
    try {
      const module = (await loading(this.clock, import(href))) as AsaModule;
      done = Promise.resolve(module.default({ asa, data: structuredClone(data), signal: controller.signal }));
    } catch (error) {
      await asa.deregister();
      throw error;
    }
    const ended = done.finally(() => asa.deregister());
    ended.catch(() => undefined);
    return {
      name,
      threadId: 0,
      done: ended,
      stop: async () => {
        controller.abort(new GraspError(ErrorCode.closed));
        await asa.deregister();
      },
    };
  }

  async #spawnWorker(href: string, name: string, data: unknown): Promise<SpawnedAsa> {
    const supervisor = this.#supervisor;
    const { placement } = supervisor;
    const client = `asa:${name}`;
    const control = supervisor.controlFor(client);
    const handle = await control.registerAsa(name);
    const [engine, engineThere] = placement.channel();
    const [thread, threadThere] = placement.channel();
    serve(control satisfies EngineControl, placement.world.toEndpoint(engine), isPort);
    const remote = connect<AsaThreadControl>(placement.world.toEndpoint(thread), isPort);
    let stopped = false;
    const worker = supervisor.startAsaThread(name, () => ({
      init: {
        name,
        handle,
        client,
        engine: engineThere,
        control: threadThere,
        window: supervisor.limits.sessionWindow,
      } satisfies AsaInit,
      ports: [engineThere, threadThere],
    }));
    const stop = async (): Promise<void> => {
      if (stopped) return;
      stopped = true;
      // Together: a thread in an endless loop answers nothing, and is ended all the same.
      await Promise.all([supervisor.detachClient(client), worker.stop()]);
    };
    try {
      await Promise.race([worker.host.ready(), worker.lost]);
      // What the supervisor tells the client needs no answer, and the thread may end at any time.
      await supervisor.attachClient(client, remote.calls satisfies ClientControl, worker.host.name);
      await Promise.race([remote.calls.load(href), worker.lost]);
    } catch (error) {
      await stop();
      throw error;
    }
    const { threadId } = worker.host;
    let told = false;
    const done = Promise.race([remote.calls.run(data), worker.lost])
      .catch((error: unknown) => {
        const ended = told && GraspError.is(error) && error.code === ErrorCode.engineLost;
        if (!ended) throw error;
        throw new GraspError(ErrorCode.closed, `${name} was still running when it was stopped`, {
          cause: error,
        });
      })
      .finally(stop);
    done.catch(() => undefined);
    return {
      name,
      threadId,
      done,
      stop: async () => {
        told = true;
        // A module that does not heed its signal is ended with its thread.
        void remote.calls.abort().catch(() => undefined);
        await stop();
      },
    };
  }
}

function checkOptions(options: GraspOptions): void {
  const { sessionWorkers, hungAfterMs, asaHungAfterMs, machines } = options;
  for (const [name, value] of Object.entries({
    sessionWorkers,
    // Infinity: never.
    hungAfterMs: hungAfterMs === Infinity ? undefined : hungAfterMs,
    asaHungAfterMs: asaHungAfterMs === Infinity ? undefined : asaHungAfterMs,
  })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new GraspError(ErrorCode.unspec, `${name} is a whole number from 1, not ${String(value)}`);
    }
  }
  for (const [name, value] of Object.entries({
    listenSelf: options.listenSelf,
    rapidAnswers: options.rapidAnswers,
    syntaxDiagnostics: options.syntaxDiagnostics,
    cloneMessages: options.cloneMessages,
    'testing.forceDivert': options.testing?.forceDivert,
  })) {
    if (value !== undefined && typeof value !== 'boolean') {
      throw new GraspError(ErrorCode.unspec, `${name} is true or false, not ${String(value)}`);
    }
  }
  if (machines !== undefined && machines !== 'compiled' && machines !== 'interpreted') {
    throw new GraspError(
      ErrorCode.unspec,
      `machines is "compiled" or "interpreted", not ${String(machines)}`,
    );
  }
}

/** A list of names is given by hand, and what is not on it is silently discarded later. */
function checkedDull(dull: DullOptions): DullOptions {
  const { objectives } = dull;
  if (!Array.isArray(objectives) || objectives.length === 0) {
    throw new GraspError(ErrorCode.unspec, 'dull.objectives is a list of at least one objective name');
  }
  for (const name of objectives as readonly string[]) {
    const invalid = validateName(name);
    if (invalid) throw invalid;
  }
  return dull;
}

function checkLimits(limits: Partial<Limits> | undefined): void {
  for (const [name, value] of Object.entries(limits ?? {})) {
    if (!(name in DEFAULT_LIMITS)) throw new GraspError(ErrorCode.unspec, `there is no limit ${name}`);
    if (value !== undefined && (!Number.isInteger(value) || value < 0)) {
      throw new GraspError(ErrorCode.unspec, `limits.${name} is a whole number, not ${String(value)}`);
    }
  }
}
