import type { AnyActor } from 'xstate';
import { ErrorCode, GraspError, Link, RecencyList } from '../protocol/index.js';
import type { Clock, Counters, Endpoint, WatchedSession } from '../runtime/index.js';
import type { Environment, Stream, Substrate, Target } from '../substrate/types.js';
import { ActiveSessions } from './active-sessions.js';
import { ClientLink } from './client-link.js';
import { formsOf, type MachineForm } from './compiled-machine.js';
import type { RapidRequest } from './core-protocol.js';
import { NegotiationDriver } from './negotiation-driver.js';
import { copyNegotiationContext, negotiationSession } from './negotiation-session.js';
import { ObjectiveListener, type ListenerOwner } from './objective-listener.js';
import { requestMessage } from './negotiation-rules.js';
import type { SendRapidly } from './rapid-request.js';
import { requestListener } from './request-listener.js';
import type {
  AnySessionCommand,
  DiscoveringSession,
  OutgoingSession,
  SessionDriver,
  SessionOwner,
} from './session-driver.js';
import { SessionIds, type DrawnId } from './session-ids.js';
import { completeSessionLimits, type CompleteSessionLimits } from './session-limits.js';
import type {
  ListenRequest,
  SessionCall,
  SessionHostControl,
  SessionLimits,
  ToSessions,
} from './session-protocol.js';
import { StreamLinger } from './stream-linger.js';
import { SynchronizationDriver } from './synchronization-driver.js';
import { copySynchronizationContext, synchronizationSession } from './synchronization-session.js';

const NEGOTIATION = formsOf(negotiationSession, copyNegotiationContext);
const SYNCHRONIZATION = formsOf(synchronizationSession, copySynchronizationContext);
const LISTENER = formsOf(requestListener, (context) => ({ ...context }));

export type { MachineForm } from './compiled-machine.js';

export interface SessionHostOptions {
  readonly machines?: MachineForm | undefined;
  /** For status: `sessions-1` … */
  readonly name: string;
  readonly clock: Clock;
  readonly substrate: Substrate;
  readonly counters: Counters;
  readonly limits: Partial<SessionLimits>;
  /** A data port as it came through {@link SessionHostControl.attachClient} → endpoint. */
  readonly toEndpoint: (raw: unknown) => Endpoint;
  /** Asks the core for another block; {@link SessionHost.addSessionIds} comes later. */
  readonly requestSessionIds: () => void;
  /** Asks the other hosts of the engine whether this is the local end of a connection of theirs (C-06). */
  readonly isOwnConnection: (local: Target) => Promise<boolean>;
  /** Sends a request with a discovery (§2.5.5.1); the core's session host has it, and no other. */
  readonly sendRapidly?: SendRapidly | undefined;
  /** A block of own ids is used up and its last session has ended. */
  readonly onRetired: (firstIdOfBlock: number) => void;
  /** Events that may be unhandled per client before its streams are paused; default that of the data port. */
  readonly window?: number | undefined;
}

export interface SessionHostStatus {
  readonly actors: { readonly machine: string; readonly state: string; readonly count: number }[];
  readonly queues: { readonly name: string; readonly length: number; readonly limit: number }[];
}

/**
 * The owner of everything that unicast procedures need in one thread: clients' data ports, listeners of objectives,
 * negotiation and synchronization sessions of both roles, session ids, and the limits they share. Logic is in the machines; this class
 * keeps the tables and passes things on.
 */
export class SessionHost implements SessionHostControl, SessionOwner, ListenerOwner {
  readonly name: string;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly substrate: Substrate;
  readonly limits: CompleteSessionLimits;
  readonly active: ActiveSessions;
  readonly linger: StreamLinger;
  readonly logic: SessionOwner['logic'] & ListenerOwner['logic'];
  readonly #options: SessionHostOptions;
  readonly #ids: SessionIds;
  readonly #clients = new Map<string, ClientLink>();
  /** By objective name. */
  readonly #listeners = new Map<string, ObjectiveListener>();
  readonly #listenerOf = new Map<number, ObjectiveListener>();
  /** All live sessions, pending connections included. */
  readonly #sessions = new RecencyList<SessionDriver>();
  /** Accepted connections without a complete first message, oldest first. */
  readonly #pending = new RecencyList<SessionDriver>();
  /** Demand of the batch of commands being handled, by listen. */
  readonly #demand = new Map<number, number>();
  readonly #awaitingId = new Set<SessionDriver>();
  readonly #unwatch: () => void;
  #environment: Environment;
  #admitted = 0;
  #lastKey = 0;
  #closing: Promise<void> | undefined;

  constructor(options: SessionHostOptions) {
    this.#options = options;
    this.name = options.name;
    const form = options.machines ?? 'compiled';
    this.logic = {
      negotiation: NEGOTIATION[form],
      synchronization: SYNCHRONIZATION[form],
      listener: LISTENER[form],
    };
    this.clock = options.clock;
    this.counters = options.counters;
    this.substrate = options.substrate;
    this.limits = completeSessionLimits(options.limits);
    this.#ids = new SessionIds(options.clock, options.requestSessionIds, options.onRetired);
    this.active = new ActiveSessions(this.#ids, () => this.#environment);
    this.linger = new StreamLinger(options.clock, options.counters, this.limits);
    this.#environment = options.substrate.environment;
    this.#unwatch = options.substrate.watch((environment) => this.#changed(environment));
  }

  // SessionHostControl

  attachClient(client: string, port: unknown): void {
    this.detachClient(client);
    const handlers = {
      onCommands: (link: ClientLink, commands: readonly ToSessions[]) => {
        for (const command of commands) this.#command(link, command);
        this.#passDemand();
      },
      onCredit: (link: ClientLink) => {
        for (const listener of this.#listeners.values()) {
          if (listener.listensOf(link).length > 0) listener.credit();
        }
      },
      onGone: (link: ClientLink) => {
        if (this.#clients.get(client) === link) this.detachClient(client);
      },
    };
    const { toEndpoint, window } = this.#options;
    this.#clients.set(client, new ClientLink(client, toEndpoint(port), this.clock, handlers, window));
  }

  detachClient(client: string): void {
    const link = this.#clients.get(client);
    if (!link) return;
    this.#clients.delete(client);
    for (const session of link.sessions.values()) session.end(ErrorCode.closed, 'client gone');
    for (const listener of [...this.#listeners.values()]) {
      for (const listen of listener.listensOf(link)) void this.stopListen(listen);
    }
    link.close();
  }

  async listen(request: ListenRequest): Promise<{ port: number }> {
    if (!this.secure && !request.resumed) throw new GraspError(ErrorCode.noSecurity);
    const client = this.#clients.get(request.client);
    if (!client || this.#closing) throw new GraspError(ErrorCode.closed, `no client ${request.client}`);
    if (this.#listenerOf.has(request.listen)) throw new GraspError(ErrorCode.unspec, 'listen number in use');
    let listener = this.#listeners.get(request.objective);
    if (!listener) {
      listener = new ObjectiveListener(this, request.objective, request.port);
      this.#listeners.set(request.objective, listener);
    }
    this.#listenerOf.set(request.listen, listener);
    try {
      return await listener.listen(request, client);
    } catch (error) {
      this.#listenerOf.delete(request.listen);
      throw error;
    }
  }

  async stopListen(listen: number): Promise<void> {
    const listener = this.#listenerOf.get(listen);
    if (!listener) return;
    await listener.stop(listen);
    this.#listenerOf.delete(listen);
  }

  setValue(listen: number, value: Uint8Array): void {
    this.#listenerOf.get(listen)?.setValue(listen, value);
  }

  endSessions(which: { asa: number; objective?: string | undefined }, code: number): Promise<void> {
    for (const session of [...this.#sessions]) {
      if (session.asa !== which.asa || !session.client) continue;
      if (which.objective === undefined || session.objective === which.objective) session.end(code);
    }
    return Promise.resolve();
  }

  addSessionIds(block: Uint32Array, own: boolean): void {
    this.#ids.add(block, own);
    for (const session of this.#awaitingId) {
      const id = this.#ids.draw();
      if (!id) return;
      this.#awaitingId.delete(session);
      session.sessionIdDrawn(id);
    }
  }

  dropSessionIds(first: number): void {
    this.#ids.drop(first);
  }

  /** For a core that was replaced: the blocks it must not give out again. */
  ownSessionIdBlocks(): Uint32Array[] {
    return this.#ids.ownBlocks;
  }

  ownsConnection(local: Target): boolean {
    return this.active.owns(local);
  }

  /** All there are now, for whoever begins to watch; sessions are {@link sessions}. */
  get actors(): AnyActor[] {
    return [...this.#listeners.values()].map(({ actor }) => actor);
  }

  get sessions(): Iterable<WatchedSession> {
    return this.#sessions;
  }

  /** Counts for `Grasp.status`; nothing here is on the hot path. */
  status(): SessionHostStatus {
    const counts = new Map<string, number>();
    const note = (machine: string, state: string): void => {
      const key = `${machine}\n${state}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    };
    for (const session of this.#sessions) note(session.machine, session.state);
    for (const listener of this.#listeners.values()) note(requestListener.id, listener.state);
    const actors = [...counts].sort().map(([key, count]) => {
      const [machine = '', state = ''] = key.split('\n');
      return { machine, state, count };
    });
    const { limits } = this;
    const queues = [
      { name: 'sessions', length: this.#admitted, limit: limits.sessions },
      { name: 'pending connections', length: this.#pending.size, limit: limits.pendingConnections },
      { name: 'closing streams', length: this.linger.size, limit: limits.lingeringStreams },
    ];
    for (const { objective, queued } of this.#listeners.values()) {
      queues.push({ name: `requests ${objective}`, length: queued, limit: limits.requestQueue });
    }
    for (const { name, unhandled, window } of this.#clients.values()) {
      queues.push({ name: `events to ${name}`, length: unhandled, limit: window });
    }
    return { actors, queues };
  }

  /** Ends all sessions with 42, stops all listens, closes the data ports. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#unwatch();
    this.#endAll(ErrorCode.closed);
    const stops = [...this.#listenerOf.keys()].map((listen) => this.stopListen(listen));
    await Promise.all(stops);
    this.#endAll(ErrorCode.closed);
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
    this.linger.abortAll();
  }

  // SessionOwner

  get secure(): boolean {
    return this.#environment.security !== 'none';
  }

  get sessionsFull(): boolean {
    return this.#admitted >= this.limits.sessions;
  }

  drawSessionId(): DrawnId | undefined {
    return this.#ids.draw();
  }

  awaitSessionId(session: SessionDriver): void {
    this.#awaitingId.add(session);
  }

  giveBackSessionId(id: DrawnId): void {
    this.#ids.release(id);
  }

  isOwnConnection(local: Target): Promise<boolean> {
    return this.#options.isOwnConnection(local);
  }

  admitted(session: SessionDriver): void {
    this.#admitted++;
    this.#notPending(session);
  }

  released(session: SessionDriver, wasAdmitted: boolean): void {
    if (wasAdmitted) this.#admitted--;
    this.#sessions.remove(session.inAll);
    this.#notPending(session);
    this.#awaitingId.delete(session);
    const { client, key } = session;
    if (client?.sessions.get(key) === session) client.sessions.delete(key);
  }

  // ListenerOwner

  accept(listener: ObjectiveListener, stream: Stream): void {
    this.#makeRoom();
    const Driver = listener.synchronizes ? SynchronizationDriver : NegotiationDriver;
    const session = new Driver(this, listener.objective, { key: --this.#lastKey, listener, stream });
    this.#beginPending(session);
    session.accepted();
  }

  /** A discovery that is a request at the same time (§2.5.5.1). It counts as a connection that is pending. */
  rapidRequest({ sessionId, objective, value, target }: RapidRequest): void {
    const listener = this.#listeners.get(objective.name);
    if (!listener || listener.synchronizes) return this.counters.add('request.no-listener');
    this.#makeRoom();
    const connectTimeoutMs = this.limits.rapidConnectMs;
    const way = { key: --this.#lastKey, listener, target, connectTimeoutMs };
    const session = new NegotiationDriver(this, objective.name, way);
    this.#beginPending(session);
    session.requested(requestMessage(sessionId, objective, value));
  }

  #beginPending(session: SessionDriver): void {
    this.#sessions.push(session.inAll);
    session.inPending = new Link(session);
    this.#pending.push(session.inPending);
  }

  #notPending(session: SessionDriver): void {
    if (session.inPending) this.#pending.remove(session.inPending);
    session.inPending = undefined;
  }

  evictPending(listener: ObjectiveListener): void {
    for (const session of [...this.#pending]) {
      if (session.listener === listener) session.end(ErrorCode.closed);
    }
  }

  listenerReleased(listener: ObjectiveListener): void {
    if (this.#listeners.get(listener.objective) === listener) this.#listeners.delete(listener.objective);
    for (const [listen, of] of this.#listenerOf) if (of === listener) this.#listenerOf.delete(listen);
  }

  /**
   * The oldest pending connection makes room for another, not the new one: a peer that follows RFC 8990 connects when its
   * request is ready, so its connection is pending for a moment only, and idle ones cannot shut others out.
   */
  #makeRoom(): void {
    if (this.#pending.size < this.limits.pendingConnections) return;
    this.counters.add('connection.pending-limit');
    this.#pending.oldest?.value.evict();
  }

  #command(client: ClientLink, command: ToSessions): void {
    if (command.t === 'request' || command.t === 'rapid' || command.t === 'synchronize')
      return this.#request(client, command);
    if (command.t === 'take') {
      this.#demand.set(command.listen, (this.#demand.get(command.listen) ?? 0) + command.n);
      return;
    }
    const session = client.sessions.get(command.session);
    if (session) {
      return session.command(commandOf(command));
    }
    // The session has ended; its `ended` event may have crossed this call.
    const { call, session: key } = command;
    const failure = { code: ErrorCode.noSession };
    if (command.t === 'step')
      client.send({ t: 'answer', call, session: key, answer: { state: 'failed', failure } });
    else client.send({ t: 'done', call, session: key, failure });
  }

  /** Demand that came in one batch goes to the listener as one. */
  #passDemand(): void {
    if (this.#demand.size === 0) return;
    for (const [listen, n] of this.#demand) this.#listenerOf.get(listen)?.take(listen, n);
    this.#demand.clear();
  }

  #request(client: ClientLink, command: ToSessions & { t: 'request' | 'rapid' | 'synchronize' }): void {
    const { call, session: key, asa, objective, timeoutMs } = command;
    const { sendRapidly } = this.#options;
    if (client.sessions.has(key) || (command.t === 'rapid' && !sendRapidly)) {
      const detail = client.sessions.has(key) ? 'session number in use' : 'no discoveries from here';
      const failure = { code: ErrorCode.unspec, detail };
      client.send({ t: 'answer', call, session: key, answer: { state: 'failed', failure } });
      return;
    }
    const maxMessageBytes = command.maxMessageBytes ?? this.limits.maxMessageBytes;
    if (command.t === 'rapid') {
      const { value, discoveryMs } = command;
      const discover: DiscoveringSession['discover'] = (caller) =>
        sendRapidly!({ asa, objective, value, discoveryMs }, caller);
      const rapidly: DiscoveringSession = { client, key, asa, discover, maxMessageBytes };
      const session = this.#begin(new NegotiationDriver(this, objective.name, rapidly), client);
      session.command({ type: 'request', call, objective, value, timeoutMs, rapid: true });
      return;
    }
    const { target, connectTimeoutMs } = command;
    const way: OutgoingSession = { client, key, asa, target, connectTimeoutMs, maxMessageBytes };
    if (command.t === 'request') {
      const session = this.#begin(new NegotiationDriver(this, objective.name, way), client);
      session.command({ type: 'request', call, objective, value: command.value, timeoutMs });
    } else {
      const session = this.#begin(new SynchronizationDriver(this, objective.name, way), client);
      session.command({ type: 'request', call, objective, timeoutMs });
    }
  }

  #begin<D extends SessionDriver>(session: D, client: ClientLink): D {
    this.#sessions.push(session.inAll);
    client.adopt(session);
    return session;
  }

  /** RFC 8990 §3: without security nothing goes on; it may come back without a restart. */
  #changed(environment: Environment): void {
    const was = this.secure;
    this.#environment = environment;
    if (!was || this.secure) return;
    this.counters.add('security.lost');
    this.#endAll(ErrorCode.noSecurity);
  }

  #endAll(code: number): void {
    for (const session of [...this.#sessions]) session.end(code);
  }
}

/** A client's call as its session's machine takes it. One shape a call: it is on the hot path. */
function commandOf(
  call: Exclude<SessionCall, { t: 'request' | 'rapid' | 'synchronize' }>,
): AnySessionCommand {
  switch (call.t) {
    case 'step': {
      const { value, loopCount, dryRun, timeoutMs } = call;
      return { type: 'step', call: call.call, value, loopCount, dryRun, timeoutMs };
    }
    case 'wait':
      return { type: 'wait', call: call.call, waitMs: call.waitMs };
    case 'end':
      return { type: 'end', call: call.call, accept: call.accept, reason: call.reason };
    case 'invalid':
      return { type: 'invalid', call: call.call, info: call.info };
  }
}
