/**
 * A host: the actors of one role in one thread, with the control calls the supervisor makes to them. The same
 * code runs in a worker (`entry.ts`) and inline in the caller's thread.
 */
import type { Core, CoreOptions } from '../actors/core.js';
import type { Announcement, BoundPort, FromSessionHost, ToSessionHost } from '../actors/core-protocol.js';
import type { Limits } from '../actors/limits.js';
import type { Listener, ListenerOptions } from '../actors/listener.js';
import type { ActorCount, QueueStatus } from '../actors/machine-host.js';
import type { MachineForm, SessionHost, SessionHostOptions } from '../actors/session-host.js';
import type { ListenRequest, SessionHostControl } from '../actors/session-protocol.js';
import type { WatchSpec } from '../actors/watch/protocol.js';
import type { DullRules } from '../protocol/index.js';
import { Counters, DataPort, type Clock, type Endpoint, type RandomFill } from '../runtime/index.js';
import type { Substrate, Target } from '../substrate/types.js';
import { HostWatching } from './host-watching.js';
import { TellingCounters } from './syntax-diagnostics.js';
import { osThread } from './thread-time.js';

/** What a host may know of its thread. */
export interface World {
  readonly clock: Clock;
  readonly random: RandomFill;
  /** A transferred port or an inline endpoint, as an Endpoint. */
  readonly toEndpoint: (raw: unknown) => Endpoint;
}

export interface HostStatus {
  readonly actors: ActorCount[];
  readonly queues: QueueStatus[];
  readonly counters: Record<string, number>;
  /** Core: it has unicast port 7017. */
  readonly wellKnown?: boolean | undefined;
}

/** Proof of life. */
export interface Life {
  /** The thread's number at the operating system, if that tells. */
  readonly osThread: number | undefined;
  /** When it got to the question, by the engine's clock. */
  readonly at: number;
}

/** Control calls every host answers. */
export interface HostControl {
  /** Resolves when the host does its work. */
  ready(): Promise<void>;
  ping(): Life;
  status(): HostStatus;
  /** Begins to show what the host does, over this port ({@link WatchSpec}); `prefix` makes ids of actors unique. */
  watch(watch: number, spec: WatchSpec, prefix: string, port: unknown): Promise<void>;
  unwatch(watch: number): Promise<void>;
  close(): Promise<void>;
}

/** What a host tells its supervisor unasked. */
export interface HostEvents {
  /** The core's send sockets changed. */
  portsChanged(ports: readonly BoundPort[]): void;
}

export interface ListenerControl extends HostControl {
  attachCore(port: unknown): void;
  setOwnSenders(senders: readonly BoundPort[]): void;
}

export interface CoreControl extends HostControl {
  attachListener(port: unknown): void;
  attachClient(client: string, port: unknown): void;
  /** The client's line to negotiations that begin with a discovery. */
  attachSessionClient(client: string, port: unknown): void;
  detachClient(client: string): void;
  /** As {@link SessionHostControl.endSessions}. */
  endSessions(which: { asa: number; objective?: string | undefined }, code: number): Promise<void>;
  attachSessionHost(name: string, port: unknown): void;
  detachSessionHost(name: string): void;
  announce(objective: string, announcement: Announcement | undefined): void;
}

export interface SessionsControl extends HostControl, SessionHostControl {
  attachCore(port: unknown): void;
}

/** The part of a host's description that is the same for every role; structured-cloneable. */
export interface HostSettings {
  readonly limits: Limits;
  readonly listenSelf: boolean;
  /** Core: rapid mode of RFC 8990 §2.5.6.3 is answered. */
  readonly rapidAnswers: boolean;
  /** Core, testing: own locators are told in O_DIVERT. */
  readonly forceDivert: boolean;
  /** Every kind of refused message is told as a process warning. */
  readonly syntaxDiagnostics: boolean;
  /** The engine is a DULL instance (RFC 8990 §2.5.2). */
  readonly dull?: DullRules | undefined;
  /** How the machines on the hot paths are run: sessions', and the multicast handler. */
  readonly machines: MachineForm;
  /** Core: discovery ports held before, by interface. */
  readonly preferredPorts: Readonly<Record<string, number>>;
}

function life({ clock }: World): Life {
  return { osThread: osThread(), at: clock.now() };
}

function countersFor(host: string, settings: HostSettings, world: World): Counters {
  return settings.syntaxDiagnostics ? new TellingCounters(host, world.clock) : new Counters();
}

/** The owners of a role. Given, not imported: a thread loads the code of its own role only (`host-main.ts`). */
export type ListenerClass = new (options: ListenerOptions) => Listener;
export type CoreClass = new (options: CoreOptions) => Core;
export type SessionHostClass = new (options: SessionHostOptions) => SessionHost;

export function createListenerHost(
  Listener: ListenerClass,
  substrate: Substrate,
  settings: HostSettings,
  world: World,
): ListenerControl {
  const counters = countersFor('listener', settings, world);
  const listener = new Listener({
    clock: world.clock,
    substrate,
    counters,
    limits: settings.limits,
    listenSelf: settings.listenSelf,
    toEndpoint: world.toEndpoint,
  });
  const watching = new HostWatching('listener', counters, world, () => listener.actors);
  return {
    ...watching.control,
    ready: () => listener.ready(),
    ping: () => life(world),
    status: () => ({ ...listener.status(), counters: { ...counters.snapshot(), ...substrate.dropped?.() } }),
    attachCore: (port) => listener.attachCore(port),
    setOwnSenders: (senders) => listener.setOwnSenders(senders),
    close: async () => {
      await listener.close();
      watching.close();
      await substrate.close();
    },
  };
}

export function createCoreHost(
  Core: CoreClass,
  substrate: Substrate,
  settings: HostSettings,
  world: World,
  events: Pick<HostEvents, 'portsChanged'>,
): CoreControl {
  const counters = countersFor('core', settings, world);
  const core = new Core({
    clock: world.clock,
    random: world.random,
    substrate,
    counters,
    limits: settings.limits,
    machines: settings.machines,
    toEndpoint: world.toEndpoint,
    preferredPorts: settings.preferredPorts,
    rapidAnswers: settings.rapidAnswers,
    forceDivert: settings.forceDivert,
    dull: settings.dull,
    onPorts: (ports) => events.portsChanged(ports),
  });
  const watching = new HostWatching('core', counters, world, () => core.actors, {
    sessions: () => core.sessions,
    caches: () => core.cached,
  });
  return {
    ...watching.control,
    ready: () => core.ready(),
    ping: () => life(world),
    status: () => ({ ...core.status(), counters: { ...counters.snapshot(), ...substrate.dropped?.() } }),
    attachListener: (port) => core.attachListener(port),
    attachClient: (client, port) => core.attachClient(client, port),
    attachSessionClient: (client, port) => core.attachSessionClient(client, port),
    detachClient: (client) => core.detachClient(client),
    endSessions: (which, code) => core.endSessions(which, code),
    attachSessionHost: (name, port) => core.attachSessionHost(name, port),
    detachSessionHost: (name) => core.detachSessionHost(name),
    announce: (objective, announcement) => core.announce(objective, announcement),
    close: async () => {
      await core.close();
      watching.close();
      await substrate.close();
    },
  };
}

export function createSessionsHost(
  SessionHost: SessionHostClass,
  name: string,
  substrate: Substrate,
  settings: HostSettings,
  world: World,
): SessionsControl {
  const counters = countersFor(name, settings, world);
  const link = new CoreLink(world);
  const host = new SessionHost({
    name,
    clock: world.clock,
    substrate,
    counters,
    limits: settings.limits,
    machines: settings.machines,
    window: settings.limits.sessionWindow,
    toEndpoint: world.toEndpoint,
    requestSessionIds: () => link.send({ t: 'ids.request' }),
    isOwnConnection: (local) => link.ask(local),
    onRetired: (first) => link.send({ t: 'ids.retired', first }),
  });
  link.serve(host);
  const watching = new HostWatching(name, counters, world, () => host.actors, {
    sessions: () => host.sessions,
  });
  return {
    ...watching.control,
    ready: () => Promise.resolve(),
    ping: () => life(world),
    status: () => ({ ...host.status(), counters: { ...counters.snapshot(), ...substrate.dropped?.() } }),
    attachCore: (port) => link.attach(port, host),
    attachClient: (client, port) => host.attachClient(client, port),
    detachClient: (client) => host.detachClient(client),
    listen: (request: ListenRequest) => host.listen(request),
    stopListen: (listen) => host.stopListen(listen),
    setValue: (listen, value) => host.setValue(listen, value),
    endSessions: (which, code) => host.endSessions(which, code),
    close: async () => {
      link.close();
      await host.close();
      watching.close();
      await substrate.close();
    },
  };
}

/** A session host's line to the core: session ids, and who owns a connection (C-06). */
class CoreLink {
  readonly #world: World;
  readonly #questions = new Map<number, (yes: boolean) => void>();
  #port: DataPort<FromSessionHost, ToSessionHost> | undefined;
  #host: SessionHost | undefined;
  #nextQuestion = 1;
  #wantsIds = false;

  constructor(world: World) {
    this.#world = world;
  }

  serve(host: SessionHost): void {
    this.#host = host;
  }

  attach(raw: unknown, host: SessionHost): void {
    this.#port?.close();
    this.#forgetQuestions();
    this.#port = new DataPort(this.#world.toEndpoint(raw), this.#world.clock, {
      onEvents: (events) => {
        for (const event of events) this.#receive(event);
      },
      onClose: () => this.#forgetQuestions(),
    });
    const blocks = host.ownSessionIdBlocks();
    if (blocks.length > 0) this.#port.send({ t: 'ids.reserve', blocks });
    if (this.#wantsIds) this.#port.send({ t: 'ids.request' });
  }

  send(event: FromSessionHost): void {
    // A request made while there is no core is put again to the next one.
    if (event.t === 'ids.request') this.#wantsIds = true;
    this.#port?.send(event);
  }

  ask(local: Target): Promise<boolean> {
    const port = this.#port;
    if (!port || port.closed) return Promise.resolve(false);
    const call = this.#nextQuestion++;
    port.send({ t: 'owns?', call, local });
    return new Promise((resolve) => this.#questions.set(call, resolve));
  }

  close(): void {
    this.#port?.close();
    this.#forgetQuestions();
  }

  #receive(event: ToSessionHost): void {
    switch (event.t) {
      case 'ids.block':
        if (event.own) this.#wantsIds = false;
        this.#host?.addSessionIds(event.block, event.own);
        if (!event.own) this.#port?.send({ t: 'ids.noted', first: event.block[0]! });
        return;
      case 'ids.drop':
        return this.#host?.dropSessionIds(event.first);
      case 'owns?':
        return this.#port?.send({
          t: 'owns',
          call: event.call,
          yes: this.#host?.ownsConnection(event.local) ?? false,
        });
      case 'owns':
        this.#questions.get(event.call)?.(event.yes);
        this.#questions.delete(event.call);
        return;
      case 'rapid.request':
        return this.#host?.rapidRequest(event);
    }
  }

  #forgetQuestions(): void {
    for (const answer of this.#questions.values()) answer(false);
    this.#questions.clear();
  }
}
