/**
 * The supervisor of an engine: in the thread that called `Grasp.start`. It owns the desired state (`registry.ts`),
 * starts and watches the hosts, connects them, and replays what is desired into a worker that replaces a dead one.
 */
import * as inspector from 'node:inspector';
import { availableParallelism } from 'node:os';
import type { BoundPort } from '../actors/core-protocol.js';
import { DEFAULT_LIMITS, type Limits } from '../actors/limits.js';
import { census } from '../actors/machine-host.js';
import type { MachineForm } from '../actors/session-host.js';
import type { EnvironmentChange, WorkerChange } from '../actors/watch/diagnostic-events.js';
import type { WatchSpec } from '../actors/watch/protocol.js';
import { ErrorCode, GraspError, type DullRules } from '../protocol/index.js';
import { Counters, type Clock, type TimerId } from '../runtime/index.js';
import type { Environment, Substrate } from '../substrate/types.js';
import type { ClientControl, EngineControl, EngineStatus, ThreadStatus } from './engine-control.js';
import type {
  CoreControl,
  HostControl,
  HostSettings,
  HostStatus,
  ListenerControl,
  SessionsControl,
} from './host.js';
import type { HostInit } from './host-main.js';
import { HostWatching } from './host-watching.js';
import type { Placement } from './placement.js';
import { Registrations, ignoreLost, tell, type Client } from './registrations.js';
import { RecentMaximum } from './recent-maximum.js';
import { Registry, type ListenRecord } from './registry.js';
import { openSubstrate, substrateFor, type SubstrateChoice } from './substrate-init.js';
import { SupervisedHost } from './supervised-host.js';
import { Watches, type OnReport, type Watch, type Watchable } from './watches.js';

export interface SupervisorOptions {
  readonly substrate: SubstrateChoice;
  readonly placement: Placement;
  /** Most session workers. Default max(1, min(4, cores − 1)). */
  readonly sessionWorkers?: number | undefined;
  /** ms without an answer until an engine worker is replaced. Default 500. */
  readonly hungAfterMs?: number | undefined;
  /** The same for workers that hold ASA code. Default 10,000. */
  readonly asaHungAfterMs?: number | undefined;
  readonly limits?: Partial<Limits> | undefined;
  readonly listenSelf?: boolean | undefined;
  /** Answers discoveries that ask for a value with M_SYNCH (RFC 8990 §2.5.6.3). Default false. */
  readonly rapidAnswers?: boolean | undefined;
  /** Testing: own locators are told in O_DIVERT. Default false. */
  readonly forceDivert?: boolean | undefined;
  /** Every kind of refused message is told as a process warning. Default false. */
  readonly syntaxDiagnostics?: boolean | undefined;
  /** Rules of a DULL instance; its substrate is limited to the interface (`dullInstance`). */
  readonly dull?: DullRules | undefined;
  /** How the machines on the hot paths are run. Default `compiled`. */
  readonly machines?: MachineForm | undefined;
  /** Told of threads, interfaces and security as they change. */
  readonly onEvent?: ((event: WorkerChange | EnvironmentChange) => void) | undefined;
}

/** The caller's thread, as `status()` and inspection name it. */
const SUPERVISOR = 'supervisor';
/** ms between two looks at the workers. */
const TICK_MS = 100;
/** ms for which the latest tick is remembered at least. */
const LAG_MS = 10_000;
/** A tick later than this is not on time and counts for nothing. */
const LATE_TICK_MS = 150;
/** ms after which `status()` does without a thread's own part. */
const STATUS_MS = 1_000;
/** ms a host has to close in order. */
const GRACE_MS = 1_000;

/** An ASA's worker as the API side asks for it. */
export interface AsaThread {
  readonly host: SupervisedHost;
  /** Ends the thread. */
  stop(): Promise<void>;
  /** Rejects when the thread ends by itself. */
  readonly lost: Promise<never>;
}

export class Supervisor {
  readonly limits: Limits;
  readonly placement: Placement;
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #counters = new Counters();
  readonly #registry: Registry;
  readonly #hosts = new Map<string, SupervisedHost>();
  readonly #clients = new Map<string, Client>();
  readonly #registrations: Registrations;
  readonly #watches: Watches;
  readonly #watching: HostWatching;
  readonly #mostSessionHosts: number;
  #substrate: Substrate | undefined;
  #ports: readonly BoundPort[] = [];
  #turn = 0;
  #timer: TimerId | undefined;
  #lastTick = 0;
  readonly #lag = new RecentMaximum(LAG_MS);
  #closing: Promise<void> | undefined;

  private constructor(options: SupervisorOptions) {
    this.#options = options;
    this.placement = options.placement;
    this.#clock = options.placement.world.clock;
    const given = Object.entries(options.limits ?? {}).filter(([, value]) => value !== undefined);
    this.limits = { ...DEFAULT_LIMITS, ...Object.fromEntries(given) };
    this.#registry = new Registry(this.limits, options.placement.world.random);
    this.#registrations = new Registrations(this.#registry, {
      get: (host) => this.#hosts.get(host),
      all: () => [...this.#hosts.values()],
      session: (host) => this.#sessionHost(host),
      forRequest: () => this.sessionHostFor(),
      client: (id) => this.#clients.get(id),
      security: () => this.environment.security,
    });
    this.#watches = new Watches(this.placement, () => this.#watchable());
    const actors = () => [...this.#hosts.values()].map((host) => host.actor);
    this.#watching = new HostWatching(SUPERVISOR, this.#counters, this.placement.world, actors);
    // Asked once: it reads a file.
    const most = options.sessionWorkers ?? Math.max(1, Math.min(4, availableParallelism() - 1));
    this.#mostSessionHosts = options.placement.kind === 'inline' ? 1 : most;
  }

  /** Starts core and listener; session workers start when first needed. */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const supervisor = new Supervisor(options);
    try {
      await supervisor.#start();
    } catch (error) {
      await supervisor.close();
      throw error;
    }
    return supervisor;
  }

  get environment(): Environment {
    return this.#substrate!.environment;
  }

  /** Makes a client known: hosts are connected to it as they come and go. */
  async attachClient(id: string, control: ClientControl, host?: string): Promise<void> {
    const client: Client = { id, control, host };
    this.#clients.set(id, client);
    const ready = [...this.#hosts.values()].filter((each) => each.isBuilt);
    await Promise.all(ready.map((each) => this.#connectClient(client, each)));
  }

  /** The client's thread is gone: its ASAs are deregistered (A-2.3.3-04). */
  async detachClient(id: string): Promise<void> {
    this.#clients.delete(id);
    for (const asa of [...this.#registry.asas.values()]) {
      if (asa.client === id) await this.#registrations.deregisterAsa(asa);
    }
    await Promise.all([...this.#hosts.values()].map((host) => ignoreLost(this.#detachClientAt(host, id))));
  }

  /** The engine as client `id` sees it. */
  controlFor(id: string): EngineControl {
    const registry = this.#registry;
    return {
      registerAsa: async (name) => {
        this.#assertOpen();
        return registry.addAsa(id, name).handle;
      },
      deregisterAsa: async (handle) => this.#registrations.deregisterAsa(registry.asaOf(id, handle)),
      registerObjective: async (handle, registration) => {
        this.#assertOpen();
        return this.#registrations.registerObjective(id, handle, registration);
      },
      deregisterObjective: async (handle, objective) =>
        this.#registrations.deregisterObjective(registry.asaOf(id, handle), objective),
      listen: async (handle, objective) => {
        this.#assertOpen();
        return this.#registrations.listen(id, handle, objective);
      },
      listenSynchronize: async (handle, objective, value) => {
        this.#assertOpen();
        return this.#registrations.listenSynchronize(id, handle, objective, value);
      },
      stopSynchronize: async (handle, objective) =>
        this.#registrations.stopSynchronize(id, handle, objective),
      stopListen: (listen) => this.#registrations.stopListen(id, listen),
      status: () => this.status(),
    };
  }

  /** A session host for the next request of a client that has none in its own thread; starts it if need be. */
  async sessionHostFor(): Promise<string> {
    this.#assertOpen();
    const turn = this.#turn++ % this.#mostSessionHosts;
    const name = `sessions-${turn + 1}`;
    await this.#sessionHost(name).ready();
    return name;
  }

  /** Starts a worker for one ASA's code and its sessions. */
  startAsaThread(name: string, asa: () => { init: unknown; ports: object[] }): AsaThread {
    this.#assertOpen();
    const hostName = `asa:${name}`;
    let lose!: (error: GraspError) => void;
    const lost = new Promise<never>((_, reject) => (lose = reject));
    lost.catch(() => undefined);
    const host = this.#addHost(hostName, 'asa', {
      hungAfterMs: this.#options.asaHungAfterMs ?? 10_000,
      replaced: false,
      asa,
      onLost: (error) => {
        lose(error);
        if (this.#hosts.get(hostName) === host) this.#hosts.delete(hostName);
      },
    });
    return { host, lost, stop: () => host.stop(GRACE_MS) };
  }

  async status(): Promise<EngineStatus> {
    const hosts = [...this.#hosts.values()];
    const threads = await Promise.all(hosts.map((host) => this.#threadStatus(host)));
    const lagMs = this.#lag.at(this.#clock.now());
    const own: ThreadStatus = {
      name: SUPERVISOR,
      threadId: 0,
      state: 'running',
      restarts: 0,
      ...(lagMs === undefined ? {} : { lagMs }),
      actors: census(hosts.map((host) => host.actor)),
      queues: [],
      counters: this.#counters.snapshot(),
    };
    const counters = new Counters();
    for (const thread of [own, ...threads]) {
      for (const [name, count] of Object.entries(thread.counters)) counters.add(name, count);
    }
    const { environment } = this;
    const registry = this.#registry;
    const asaName = (handle: number): string => registry.asas.get(handle)?.name ?? '';
    return {
      security: environment.security,
      ...(this.#options.dull ? { dull: this.#options.dull } : {}),
      placement: this.placement.kind,
      interfaces: environment.interfaces.map((info) => ({
        ...info,
        port: this.#ports.find((bound) => bound.interface === info.name)?.port,
      })),
      wellKnownPort: threads.some((thread) => thread.wellKnown),
      threads: [own, ...threads],
      asas: [...registry.asas.values()].map(({ name, handle, client }) => ({
        name,
        handle,
        thread: this.#clients.get(client)?.host ?? client,
      })),
      objectives: [...registry.objectives.values()].map((objective) => {
        const share = [...objective.shares.values()][0]!;
        return {
          name: objective.name,
          asas: [...objective.shares.keys()].map(asaName),
          negotiate: share.negotiate,
          synchronize: share.synchronize,
          dryRun: share.dryRun,
          overlap: share.overlap,
          listening: registry
            .listensOf({ objective: objective.name })
            .filter((listen) => listen.open)
            .map((listen) => ({
              asa: asaName(listen.asa),
              thread: listen.host,
              port: registry.portOf(listen.host, objective.name),
              kind: listen.kind,
            })),
        };
      }),
      limits: this.limits,
      counters: counters.snapshot(),
    };
  }

  /** Shows what every thread does, now and later; see {@link Watches}. */
  watch(spec: WatchSpec, onReport: OnReport, onEnd: () => void): Watch {
    this.#assertOpen();
    return this.#watches.add(spec, onReport, onEnd);
  }

  /** Ends every host. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // ---- start and end

  async #start(): Promise<void> {
    const { dull, substrate, placement } = this.#options;
    const own = substrateFor(substrate, () => placement.channel());
    this.#substrate = await openSubstrate(own.init, placement.world, { dull });
    this.#substrate.watch((environment) => this.#environmentChanged(environment));
    this.#environmentChanged(this.#substrate.environment);
    const core = this.#addHost('core', 'core');
    const listener = this.#addHost('listener', 'listener');
    await Promise.all([core.ready(), listener.ready()]);
    // Everything inline runs under one clock and cannot hang without the caller noticing.
    if (placement.kind === 'worker') this.#startTicking();
  }

  async #close(): Promise<void> {
    this.#clock.clearTimeout(this.#timer);
    const order = (host: SupervisedHost): number =>
      ['asa', 'sessions', 'listener', 'core'].indexOf(host.role);
    const hosts = [...this.#hosts.values()].sort((a, b) => order(a) - order(b));
    // Sessions first, so that their peers see them end while the rest still works.
    const [sessions, rest] = [hosts.filter((h) => order(h) < 2), hosts.filter((h) => order(h) >= 2)];
    await Promise.all(sessions.map((host) => host.stop(GRACE_MS)));
    await Promise.all(rest.map((host) => host.stop(GRACE_MS)));
    await this.#watches.end();
    this.#watching.close();
    this.#hosts.clear();
    await this.#substrate?.close();
  }

  #assertOpen(): void {
    if (this.#closing) throw new GraspError(ErrorCode.closed, 'the engine is closed');
  }

  #startTicking(): void {
    this.#lastTick = this.#clock.now();
    const tick = (): void => {
      const now = this.#clock.now();
      const elapsed = now - this.#lastTick;
      this.#lastTick = now;
      this.#lag.note(Math.max(0, elapsed - TICK_MS), now);
      for (const host of [...this.#hosts.values()]) host.tick(elapsed, elapsed <= LATE_TICK_MS);
      this.#timer = this.#clock.setTimeout(tick, TICK_MS);
    };
    this.#timer = this.#clock.setTimeout(tick, TICK_MS);
  }

  // ---- hosts

  #sessionHost(name: string): SupervisedHost {
    const known = this.#hosts.get(name);
    if (known) return known;
    this.#assertOpen();
    return this.#addHost(name, 'sessions');
  }

  #addHost(
    name: string,
    role: HostInit['role'],
    special: {
      hungAfterMs?: number;
      replaced?: boolean;
      asa?: () => { init: unknown; ports: object[] };
      onLost?: (error: GraspError) => void;
    } = {},
  ): SupervisedHost {
    // A debugger that stops a worker must not get it replaced under its hands.
    const hungAfterMs =
      inspector.url() === undefined ? (special.hungAfterMs ?? this.#options.hungAfterMs ?? 500) : Infinity;
    const host = new SupervisedHost({
      name,
      role,
      placement: this.placement,
      clock: this.#clock,
      counters: this.#counters,
      hungAfterMs,
      replaced: special.replaced ?? true,
      settings: () => this.#settings(),
      substrate: () => substrateFor(this.#options.substrate, () => this.placement.channel()),
      ...(special.asa ? { asa: special.asa } : {}),
      events: { portsChanged: (ports) => this.#portsChanged(ports) },
      onReady: (each) => this.#onReady(each),
      onLost: (each, error) => {
        this.#onLost(each, error);
        special.onLost?.(error);
      },
    });
    this.#hosts.set(name, host);
    return host;
  }

  #settings(): HostSettings {
    return {
      limits: this.limits,
      listenSelf: this.#options.listenSelf ?? false,
      rapidAnswers: this.#options.rapidAnswers ?? false,
      forceDivert: this.#options.forceDivert ?? false,
      syntaxDiagnostics: this.#options.syntaxDiagnostics ?? false,
      dull: this.#options.dull,
      machines: this.#options.machines ?? 'compiled',
      preferredPorts: Object.fromEntries(this.#ports.map((bound) => [bound.interface, bound.port])),
    };
  }

  /** Tells a new thread what it is to do, and connects it with those that are there. */
  async #onReady(host: SupervisedHost): Promise<void> {
    this.#workerChanged(host, host.restarts > 0 ? 'restarted' : 'started');
    const watched = this.#watches.connect(watchableOf(host));
    // What an ASA's thread does is told when it gets to it.
    if (host.role !== 'asa') await watched;
    if (host.role === 'core') {
      const core = host.calls<CoreControl>();
      for (const objective of this.#registry.objectives.keys()) {
        await core.announce(objective, this.#registry.announcement(objective));
      }
    }
    if (host.role === 'listener') await host.calls<ListenerControl>().setOwnSenders(this.#ports);
    const others = [...this.#hosts.values()].filter((other) => other !== host && other.isBuilt);
    await Promise.all(others.map((other) => ignoreLostOf(other, this.#connect(host, other))));
    await Promise.all([...this.#clients.values()].map((client) => this.#connectClient(client, host)));
  }

  #onLost(host: SupervisedHost, error: GraspError): void {
    if (this.#closing === undefined) {
      this.#counters.add(`worker.lost.${host.role}`);
      this.#workerChanged(host, 'lost', error);
    }
    const failure = { code: ErrorCode.engineLost, detail: error.message };
    for (const client of this.#clients.values()) {
      if (host.role === 'core') tell(client.control.coreLost(failure));
      if (host.role === 'core' || host.role === 'sessions')
        tell(client.control.sessionsLost(host.name, failure));
    }
    if (host.role === 'sessions' || host.role === 'asa') {
      const core = this.#hosts.get('core');
      if (core?.isBuilt) void ignoreLost(core.calls<CoreControl>().detachSessionHost(host.name));
    }
  }

  async #connect(a: SupervisedHost, b: SupervisedHost): Promise<void> {
    const [core, other] = a.role === 'core' ? [a, b] : [b, a];
    if (core.role !== 'core') return;
    const [atCore, atOther] = this.placement.channel();
    if (other.role === 'listener') {
      await Promise.all([
        core.calls<CoreControl>().attachListener(atCore),
        other.calls<ListenerControl>().attachCore(atOther),
      ]);
    } else {
      const attached = other.calls<SessionsControl>().attachCore(atOther);
      await core.calls<CoreControl>().attachSessionHost(other.name, atCore);
      // A thread with ASA code may be busy for seconds; nobody else is to wait for it.
      if (other.role === 'asa') tell(attached);
      else await attached;
    }
  }

  async #connectClient(client: Client, host: SupervisedHost): Promise<void> {
    if (host.role === 'core') {
      const [atCore, atClient] = this.placement.channel();
      await host.calls<CoreControl>().attachClient(client.id, atCore);
      tell(client.control.attachCore(atClient));
      const [sessionsAtCore, sessionsAtClient] = this.placement.channel();
      await host.calls<CoreControl>().attachSessionClient(client.id, sessionsAtCore);
      tell(client.control.attachSessions(host.name, sessionsAtClient));
    } else if (host.role === 'sessions' && client.host === undefined) {
      const [atHost, atClient] = this.placement.channel();
      await host.calls<SessionsControl>().attachClient(client.id, atHost);
      // What listened there listens again, on the same port, before the client offers to take requests.
      for (const listen of this.#registry.listensOf({ client: client.id, host: host.name })) {
        if (listen.open) await this.#reopen(host, listen, client);
      }
      tell(client.control.attachSessions(host.name, atClient));
    }
  }

  async #reopen(host: SupervisedHost, listen: ListenRecord, client: Client): Promise<void> {
    if (!this.#registry.listens.has(listen.listen)) return;
    try {
      await this.#registrations.resume(host, listen);
      // Stopped while it was opened again: then nobody else closes it.
      if (!this.#registry.listens.has(listen.listen)) {
        await host.calls<SessionsControl>().stopListen(listen.listen);
      }
    } catch (error) {
      if (GraspError.is(error) && error.code === ErrorCode.engineLost) throw error;
      this.#registry.listens.delete(listen.listen);
      await this.#registrations.announce(listen.objective);
      const code = GraspError.is(error) ? error.code : ErrorCode.unspec;
      tell(
        client.control.listenEnded(listen.listen, {
          code,
          detail: error instanceof Error ? error.message : '',
        }),
      );
    }
  }

  async #detachClientAt(host: SupervisedHost, client: string): Promise<void> {
    if (!host.isBuilt) return;
    if (host.role === 'core') await host.calls<CoreControl>().detachClient(client);
    else if (host.role === 'sessions') await host.calls<SessionsControl>().detachClient(client);
  }

  #watchable(): Watchable[] {
    const hosts = [...this.#hosts.values()].filter((host) => host.isBuilt);
    return [{ name: SUPERVISOR, ...this.#watching.control }, ...hosts.map(watchableOf)];
  }

  #workerChanged(host: SupervisedHost, change: WorkerChange['change'], error?: GraspError): void {
    const { name: thread, role, restarts } = host;
    const cause = error?.cause instanceof Error ? error.cause.message : error?.message;
    this.#options.onEvent?.({
      name: 'worker',
      thread,
      at: this.#clock.now(),
      change,
      role,
      restarts,
      ...(cause === undefined ? {} : { error: cause }),
    });
  }

  #environmentChanged({ security, interfaces }: Environment): void {
    this.#options.onEvent?.({
      name: 'environment',
      thread: SUPERVISOR,
      at: this.#clock.now(),
      security,
      interfaces: interfaces.map(({ name, linkLocal, addresses }) => ({ name, linkLocal, addresses })),
    });
  }

  #portsChanged(ports: readonly BoundPort[]): void {
    this.#ports = ports;
    const listener = this.#hosts.get('listener');
    if (listener?.isBuilt) void ignoreLost(listener.calls<ListenerControl>().setOwnSenders(ports));
  }

  async #threadStatus(host: SupervisedHost): Promise<ThreadStatus> {
    const { name, threadId, state, restarts } = host;
    const lag = host.lagMs === undefined ? {} : { lagMs: host.lagMs };
    const empty: HostStatus = { actors: [], queues: [], counters: {} };
    if (!host.isBuilt) return { name, threadId, state, restarts, ...lag, ...empty };
    // A thread that is busy with ASA code must not keep everybody from seeing the others.
    let timer: TimerId | undefined;
    const late = new Promise<HostStatus>((resolve) => {
      timer = this.#clock.setTimeout(() => resolve(empty), STATUS_MS);
    });
    const asked = host
      .calls<HostControl>()
      .status()
      .catch(() => empty);
    const inside = await Promise.race([asked, late]);
    this.#clock.clearTimeout(timer);
    return { name, threadId, state, restarts, ...lag, ...inside };
  }
}

function watchableOf(host: SupervisedHost): Watchable {
  return {
    name: host.name,
    watch: async (watch, spec, prefix, port) => host.calls<HostControl>().watch(watch, spec, prefix, port),
    unwatch: async (watch) => host.calls<HostControl>().unwatch(watch),
  };
}

/** Connecting `other` failed because it died: it is connected again when its successor is ready. */
async function ignoreLostOf(other: SupervisedHost, call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (other.isBuilt) throw error;
  }
}
