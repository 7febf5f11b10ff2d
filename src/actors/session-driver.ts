// Imported, though global: Node asks a getter each time a global of its own is used.
import { Buffer } from 'node:buffer';
import {
  decodeFramed,
  encodeInto,
  encodeMessage,
  ErrorCode,
  M_DISCOVERY,
  M_END,
  M_FLOOD,
  M_INVALID,
  M_NEGOTIATE,
  M_NOOP,
  M_REQ_NEG,
  M_REQ_SYN,
  M_RESPONSE,
  M_SYNCH,
  M_WAIT,
  MessageFramer,
  type Message,
  type RefusalReason,
  Link,
} from '../protocol/index.js';
import type { Clock, Counters, SessionWatcher, Subject, WatchedSession } from '../runtime/index.js';
import type { Stream, StreamHandlers, Substrate, SubstrateError, Target } from '../substrate/types.js';
import type { ActiveSessions, Outgoing } from './active-sessions.js';
import { Cancellation } from './cancellation.js';
import type { ClientLink } from './client-link.js';
import { actorOf, type MachineLogic } from './machine-host.js';
import type { NegotiationEvent } from './negotiation-port.js';
import type { ObjectiveListener } from './objective-listener.js';
import type { DrawnId } from './session-ids.js';
import type { CompleteSessionLimits } from './session-limits.js';
import type { RapidAnswer, RapidCaller } from './rapid-request.js';
import type { Clash, SessionAnswer, SessionEvent, SessionInput, SessionPort } from './session-port.js';
import type { Answer, Failure, SessionKey } from './session-protocol.js';
import type { Lingering, StreamLinger } from './stream-linger.js';
import { SessionTimer, type Expiring } from './session-timer.js';
import type { SynchronizationEvent } from './synchronization-port.js';

/** What a session needs of its host. */
export interface SessionOwner {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly substrate: Substrate;
  readonly limits: CompleteSessionLimits;
  readonly active: ActiveSessions;
  readonly linger: StreamLinger;
  /** The sessions' machines, interpreted or compiled. */
  readonly logic: { readonly negotiation: MachineLogic; readonly synchronization: MachineLogic };
  readonly secure: boolean;
  readonly sessionsFull: boolean;
  drawSessionId(): DrawnId | undefined;
  /** Calls {@link SessionDriver.sessionIdDrawn} when there is one again. */
  awaitSessionId(session: SessionDriver): void;
  giveBackSessionId(id: DrawnId): void;
  isOwnConnection(local: Target): Promise<boolean>;
  /** The session takes a place of `limits.sessions`, and is no longer a pending connection. */
  admitted(session: SessionDriver): void;
  released(session: SessionDriver, wasAdmitted: boolean): void;
}

/** Where an initiator's session leads. */
export interface OutgoingSession {
  readonly client: ClientLink;
  readonly key: SessionKey;
  readonly asa: number;
  readonly target: Target;
  readonly connectTimeoutMs: number;
  readonly maxMessageBytes: number;
}

/** What the decoded message is to the machine. Those that have no place on a session are refused by the decoder. */
const EVENT_OF: Readonly<Record<Message['type'], string>> = {
  [M_NOOP]: 'message.noop',
  [M_DISCOVERY]: 'message.discovery',
  [M_RESPONSE]: 'message.response',
  [M_REQ_NEG]: 'message.requestNegotiation',
  [M_REQ_SYN]: 'message.requestSynchronization',
  [M_NEGOTIATE]: 'message.negotiate',
  [M_END]: 'message.end',
  [M_WAIT]: 'message.wait',
  [M_SYNCH]: 'message.synch',
  [M_FLOOD]: 'message.flood',
  [M_INVALID]: 'message.invalid',
};

const FOREIGN: SessionEvent = { type: 'foreign' };
const EXPIRED: SessionEvent = { type: 'timer.expired' };
const CONNECTED: SessionEvent = { type: 'connected' };

/** From Node's pool: what is in a small array of its own has to be moved before the system can read it. */
const allocateToWrite = (bytes: number): Uint8Array => Buffer.allocUnsafe(bytes);

/** An event of either procedure. */
type AnySessionEvent = NegotiationEvent | SynchronizationEvent;
/** A call of the client. */
export type AnySessionCommand = Extract<AnySessionEvent, { readonly call: number }>;

/** The driver's side of its machine's actor: what it sends, and what it reads. */
interface SessionActor {
  send(event: AnySessionEvent): void;
  getSnapshot(): {
    readonly value: string;
    readonly context: { readonly name: string; readonly call: number };
  };
}

/** A stream that an objective's listener has accepted. */
export interface IncomingSession {
  readonly key: SessionKey;
  readonly listener: ObjectiveListener;
  readonly stream: Stream;
}

/** A request that came with a discovery (RFC 8990 §2.5.5.1): the connection is opened from here. */
export interface RapidSession {
  readonly key: SessionKey;
  readonly listener: ObjectiveListener;
  readonly target: Target;
  readonly connectTimeoutMs: number;
}

/** An initiator's session whose request goes out with a discovery: the peer opens the connection. */
export interface DiscoveringSession extends Omit<OutgoingSession, 'target' | 'connectTimeoutMs'> {
  readonly discover: (caller: RapidCaller) => () => void;
}

/** Calls that get an answer, not a confirmation. */
const ANSWERED: ReadonlySet<string> = new Set(['request', 'step']);
/** States in which a call of the client awaits its answer. */
const CALL_WAITS: ReadonlySet<string> = new Set([
  'awaitingSessionId',
  'discovering',
  'connecting',
  'awaitingReply',
]);

/**
 * What a session's machine acts through, whatever its procedure: stream, timer, client. It turns bytes, timers and
 * commands into events and effects into calls, and decides nothing. The drivers of negotiation and synchronization
 * add what is their own.
 */
export abstract class SessionDriver implements SessionPort, StreamHandlers, WatchedSession, Expiring {
  /** The machine's id, for status. */
  abstract get machine(): string;
  protected readonly owner: SessionOwner;
  readonly actor: SessionActor;
  protected stream: Stream | undefined;
  protected remote: Target | undefined;
  protected sessionId: number | undefined;
  /** How this session is known to {@link ActiveSessions}. */
  #outgoing: Outgoing | undefined;
  #incoming: { readonly sessionId: number; readonly remote: Target } | undefined;
  /** The command being carried out, until it is answered. */
  #command: AnySessionCommand | undefined;
  /** Where {@link connect} leads. */
  readonly #way: OutgoingSession | RapidSession | undefined;
  readonly #discover: DiscoveringSession['discover'] | undefined;
  readonly #framer: MessageFramer;
  #connecting: Cancellation | undefined;
  #drawn: DrawnId | undefined;
  readonly #timer: SessionTimer;
  #deaf = false;
  #admitted = false;
  #over = false;
  #released = false;
  /** The stream waits for the peer's FIN, and this object hears of it. */
  #lingering: Lingering | undefined;
  /** The stream is reset, not finished, when the session ends. */
  #abortive = false;

  readonly key: SessionKey;
  /** Its places in the lists of its host. */
  readonly inAll = new Link<SessionDriver>(this);
  inPending: Link<SessionDriver> | undefined;
  readonly listener: ObjectiveListener | undefined;
  client: ClientLink | undefined;
  maxMessageBytes: number;
  /** Owner of the session; 0 until an ASA has taken the request. */
  asa = 0;
  watcher: SessionWatcher | undefined = undefined;

  /**
   * An initiator's caller sends the `request` command next; a responder's calls {@link accepted} in the same turn,
   * or that of a request which came with a discovery says so.
   *
   * @param name the objective's.
   */
  protected constructor(
    owner: SessionOwner,
    logic: MachineLogic,
    name: string,
    way: OutgoingSession | DiscoveringSession | IncomingSession | RapidSession,
  ) {
    const outgoing = 'client' in way ? way : undefined;
    const incoming = 'stream' in way ? way : undefined;
    this.owner = owner;
    this.key = way.key;
    this.listener = 'listener' in way ? way.listener : undefined;
    this.maxMessageBytes = outgoing?.maxMessageBytes ?? this.listener!.maxMessageBytes;
    this.#framer = new MessageFramer({ maxBytes: this.maxMessageBytes, views: true });
    this.#way = 'target' in way ? way : undefined;
    this.#timer = new SessionTimer(owner.clock, this);
    this.#discover = 'discover' in way ? way.discover : undefined;
    this.stream = incoming?.stream;
    this.remote = incoming?.stream.remote;
    if (outgoing) {
      this.client = outgoing.client;
      this.asa = outgoing.asa;
      // That of a discovery is the discovery's.
      if (!this.#discover) this.#drawn = owner.drawSessionId();
      this.sessionId = this.#drawn?.sessionId;
    }
    const input: SessionInput<unknown> = {
      port: this,
      name,
      sessionId: this.sessionId,
      drawTimeoutMs: owner.limits.sessionIdWaitMs,
    };
    const actor = actorOf(logic, input);
    actor.subscribe({ error: (error: unknown) => this.#crashed(error) });
    this.actor = actor as unknown as SessionActor;
    owner.counters.watcher?.sessionMade(this);
    actor.start();
  }

  /** The state of the machine, for status. */
  get state(): string {
    return this.actor.getSnapshot().value;
  }

  get objective(): string {
    return this.actor.getSnapshot().context.name;
  }

  get begun(): boolean {
    return this.#admitted;
  }

  /** For whoever watches. */
  get subject(): Subject {
    const role = this.listener ? 'responder' : 'initiator';
    return { peer: this.remote ?? this.#way?.target, session: this.sessionId, role };
  }

  // Events

  /** Begins to read an accepted stream. */
  accepted(): void {
    this.stream?.setHandlers(this);
    this.actor.send({ type: 'accepted', firstMessageMs: this.owner.limits.firstMessageMs });
  }

  command(event: AnySessionCommand): void {
    this.#command = event;
    this.actor.send(event);
    this.#command = undefined;
  }

  /** The engine ends the session with this code. */
  end(code: number, detail?: string): void {
    this.actor.send({ type: 'session.close', code, detail });
  }

  /** A pending connection makes room: its descriptor is needed now, so it is reset. */
  evict(): void {
    this.#abortive = true;
    this.end(ErrorCode.overload);
  }

  sessionIdDrawn(id: DrawnId): void {
    this.#drawn = id;
    this.sessionId = id.sessionId;
    this.actor.send({ type: 'sessionId.drawn', sessionId: id.sessionId });
  }

  pause(): void {
    this.stream?.pause();
  }

  resume(): void {
    this.stream?.resume();
  }

  onData(bytes: Uint8Array): void {
    if (this.#over || this.#deaf) return;
    this.#framer.push(bytes);
    this.#readAll(this.#framer);
  }

  #readAll(framer: MessageFramer): void {
    for (let next = framer.next(); next.kind !== 'more'; next = framer.next()) {
      if (next.kind === 'malformed') {
        // A CBOR stream cannot be resynchronised.
        this.#deaf = true;
        this.#refuse('malformed', next.reason, undefined, undefined);
        return;
      }
      this.#receive(next.bytes);
      if (this.#over) return;
    }
  }

  onEnd(): void {
    if (!this.#over) this.actor.send({ type: 'stream.lost', truncated: this.#framer.pendingBytes > 0 });
  }

  onClose(error?: SubstrateError): void {
    if (this.#lingering) this.owner.linger.closed(this.#lingering);
    if (error && !this.#over) this.owner.counters.add(`stream.${error.kind}`);
    this.stream = undefined;
    if (!this.#over) this.actor.send({ type: 'stream.lost', truncated: false });
  }

  /** @param bytes valid until this returns. */
  #receive(bytes: Uint8Array): void {
    // Watchers tell what they saw in a later turn.
    if (this.watcher) bytes = new Uint8Array(bytes);
    const result = decodeFramed(bytes, 'session');
    if (!result.ok) {
      this.#refuse(result.kind, result.reason, result.messageType, result.sessionId);
      return;
    }
    const { message } = result;
    if (result.droppedOptions > 0) this.owner.counters.add('message.option-dropped', result.droppedOptions);
    if (this.sessionId !== undefined && 'sessionId' in message && message.sessionId !== this.sessionId) {
      this.actor.send(FOREIGN);
      return;
    }
    this.watcher?.received(message, bytes);
    this.actor.send({ type: EVENT_OF[message.type], message } as SessionEvent);
  }

  #refuse(
    kind: 'malformed' | 'unusable' | 'unknown' | 'misplaced',
    reason: RefusalReason,
    messageType: number | undefined,
    sessionId: number | undefined,
  ): void {
    this.owner.counters.add(reason);
    // What has no message type has no session id either, whatever its second element is.
    if (messageType === undefined) sessionId = undefined;
    if (this.sessionId !== undefined && sessionId !== undefined && sessionId !== this.sessionId) {
      this.actor.send(FOREIGN);
      return;
    }
    this.actor.send({ type: 'message.refused', kind, reason, messageType, sessionId });
  }

  timerExpired(): void {
    this.actor.send(EXPIRED);
  }

  // SessionPort

  get secure(): boolean {
    return this.owner.secure;
  }

  get sessionsFull(): boolean {
    return this.owner.sessionsFull;
  }

  judgeSessionId(sessionId: number): Clash {
    return this.remote ? this.owner.active.judge(sessionId, this.remote) : 'none';
  }

  admit(): void {
    this.#admitted = true;
    this.owner.admitted(this);
    this.watcher?.begun();
  }

  drawSessionId(): void {
    this.owner.awaitSessionId(this);
  }

  connect(): void {
    const { target, connectTimeoutMs: timeoutMs } = this.#way!;
    this.#connecting = new Cancellation();
    this.owner.substrate.connect(target, { timeoutMs, signal: this.#connecting }).then(
      (stream) => this.#connected(stream),
      (error: unknown) => this.#connectFailed(error),
    );
  }

  #connected(stream: Stream): void {
    this.#connecting = undefined;
    stream.setHandlers(this);
    if (this.#over) {
      stream.abort();
      return;
    }
    this.stream = stream;
    this.remote = stream.remote;
    if (!this.listener) this.#outgoing = this.owner.active.addOutgoing(stream);
    if (this.client?.paused) stream.pause();
    this.actor.send(CONNECTED);
  }

  #connectFailed(error: unknown): void {
    this.#connecting = undefined;
    if (this.#over) return;
    const detail = error instanceof Error ? error.message : String(error);
    this.actor.send({ type: 'connect.failed', detail });
  }

  discover(): void {
    this.#connecting = new Cancellation();
    const cancel = this.#discover!({
      answered: (answer) => this.#answered(answer),
      over: (failure = { code: ErrorCode.noDiscReply }) => {
        this.#connecting = undefined;
        if (!this.#over) this.actor.send({ type: 'rapid.over', failure });
      },
    });
    this.#connecting?.addEventListener('abort', cancel);
  }

  /** The stream is handed over in the middle of being read. */
  #answered({ sessionId, stream, first, rest }: RapidAnswer): StreamHandlers {
    this.#connecting = undefined;
    this.stream = stream;
    this.remote = stream.remote;
    this.sessionId = sessionId;
    if (this.client?.paused) stream.pause();
    this.actor.send({ type: 'rapid.answered', sessionId });
    this.#receive(first);
    if (!this.#over) this.#readAll(rest);
    if (!this.#over && !this.#deaf) this.onData(rest.takePending());
    return this;
  }

  askOwnConnection(): void {
    this.owner.isOwnConnection(this.remote!).then(
      (own) => this.#judged(own),
      () => this.#judged(false),
    );
  }

  #judged(own: boolean): void {
    if (!this.#over) this.actor.send({ type: 'clash.judged', own });
  }

  send(message: Message): void {
    // Watchers hand on what they are given; in a pool they would hand on all of it.
    const bytes = this.watcher ? encodeMessage(message) : encodeInto(message, allocateToWrite);
    this.stream?.write(bytes);
    this.watcher?.sent(message, bytes);
  }

  startTimer(ms: number): void {
    this.#timer.start(ms);
  }

  stopTimer(): void {
    this.#timer.stop();
  }

  close(): void {
    this.#over = true;
    this.#connecting?.abort();
    const stream = this.stream;
    if (!stream) return;
    if (this.#abortive) stream.abort();
    else {
      // A paused stream would never see the peer's FIN.
      if (this.client?.paused) stream.resume();
      // What answered a discovery (§2.5.5.1) is read by the owner of response connections.
      if (this.#discover) this.#lingering = this.owner.linger.await(stream);
      else this.owner.linger.finish(stream);
    }
  }

  answer(call: number, answer: SessionAnswer): void {
    if (this.#command?.call === call) this.#command = undefined;
    this.watcher?.told(answer);
    if (answer.state === 'failed') {
      this.client?.send({ t: 'answer', call, session: this.key, answer });
      return;
    }
    this.client?.send({ t: 'answer', call, session: this.key, answer: this.#placed(answer) });
  }

  /** The answer with the session's id and peer. One shape each: it is on the hot path. */
  #placed(answer: Exclude<SessionAnswer, { state: 'failed' }>): Answer {
    const sessionId = this.sessionId ?? 0;
    const remote = this.peer();
    switch (answer.state) {
      case 'offered': {
        const { value, loopCount } = answer;
        return { state: 'offered', value, loopCount, sessionId, remote };
      }
      case 'accepted':
        return { state: 'accepted', sessionId, remote };
      case 'synchronized': {
        const { objective, value } = answer;
        return { state: 'synchronized', objective, value, sessionId, remote };
      }
    }
  }

  done(call: number, failure: Failure | undefined): void {
    if (this.#command?.call === call) this.#command = undefined;
    this.client?.send({ t: 'done', call, session: this.key, failure });
  }

  count(name: string): void {
    this.owner.counters.add(name);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#over = true;
    this.#timer.end();
    this.watcher?.ended();
    const { active } = this.owner;
    if (this.#outgoing) active.removeOutgoing(this.#outgoing);
    if (this.#incoming) active.removeIncoming(this.#incoming.sessionId, this.#incoming.remote);
    if (this.#drawn) this.owner.giveBackSessionId(this.#drawn);
    this.#drawn = undefined;
    this.owner.released(this, this.#admitted);
  }

  /** A peer's request has been taken up under its id. */
  protected becomeActive(sessionId: number): void {
    this.sessionId = sessionId;
    this.#incoming = { sessionId, remote: this.remote! };
    this.owner.active.addIncoming(sessionId, this.remote!);
  }

  /** Plain data: it goes to another thread. */
  protected peer(): Target {
    const { address, port, interface: name } = this.remote!;
    return name === undefined ? { address, port } : { address, port, interface: name };
  }

  /** The session crashed in this state; `failure` if no call is there to be told. */
  protected abstract abandon(state: string, failure: Failure | undefined): void;

  /** An action threw: a fault of this engine. The session ends with 3, nobody else is harmed. */
  #crashed(error: unknown): void {
    this.count('session.crashed');
    const failure: Failure = {
      code: ErrorCode.unspec,
      detail: error instanceof Error ? error.message : String(error),
    };
    const { context, value } = this.actor.getSnapshot();
    const command = this.#command;
    if (command && ANSWERED.has(command.type)) this.answer(command.call, { state: 'failed', failure });
    else if (command) this.done(command.call, failure);
    if (CALL_WAITS.has(value)) this.answer(context.call, { state: 'failed', failure });
    this.abandon(value, CALL_WAITS.has(value) || command ? undefined : failure);
    this.stopTimer();
    this.#abortive = true;
    try {
      this.close();
    } catch {
      // The stream itself is broken; there is nothing more to close.
    }
    this.release();
  }
}
