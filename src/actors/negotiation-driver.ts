import { createActor, type Actor } from 'xstate';
import {
  decodeMessage,
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
  type DecodeLimits,
  type Message,
  type RefusalReason,
} from '../protocol/index.js';
import type { Clock, Counters, TimerId } from '../runtime/index.js';
import type { Stream, StreamHandlers, Substrate, SubstrateError, Target } from '../substrate/types.js';
import type { ActiveSessions } from './active-sessions.js';
import { Cancellation } from './cancellation.js';
import type { ClientLink } from './client-link.js';
import type {
  Clash,
  CommandEvent,
  NegotiationEvent,
  NegotiationPort,
  SessionAnswer,
} from './negotiation-port.js';
import type { negotiationSession } from './negotiation-session.js';
import type { ObjectiveListener } from './objective-listener.js';
import type { DrawnId } from './session-ids.js';
import type { CompleteSessionLimits } from './session-limits.js';
import type { Failure, ObjectiveHead, SessionKey } from './session-protocol.js';
import type { StreamLinger } from './stream-linger.js';

/** What a session needs of its host. */
export interface SessionOwner {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly substrate: Substrate;
  readonly limits: CompleteSessionLimits;
  readonly active: ActiveSessions;
  readonly linger: StreamLinger;
  /** The session's machine, interpreted or compiled. */
  readonly sessionLogic: typeof negotiationSession;
  readonly secure: boolean;
  readonly sessionsFull: boolean;
  decodeLimits(maxMessageBytes: number): DecodeLimits;
  drawSessionId(): DrawnId | undefined;
  /** Calls {@link NegotiationDriver.sessionIdDrawn} when there is one again. */
  awaitSessionId(session: NegotiationDriver): void;
  giveBackSessionId(id: DrawnId): void;
  isOwnConnection(local: Target): Promise<boolean>;
  /** The session takes a place of `limits.sessions`, and is no longer a pending connection. */
  admitted(session: NegotiationDriver): void;
  released(session: NegotiationDriver, wasAdmitted: boolean): void;
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

const FOREIGN: NegotiationEvent = { type: 'foreign' };
const EXPIRED: NegotiationEvent = { type: 'timer.expired' };
const CONNECTED: NegotiationEvent = { type: 'connected' };
const REFUSED: NegotiationEvent = { type: 'request.refused' };

/**
 * One session's machine and what it acts through: stream, timer, client. It turns bytes, timers and commands into
 * events and effects into calls, and decides nothing.
 */
export class NegotiationDriver implements NegotiationPort, StreamHandlers {
  readonly #owner: SessionOwner;
  readonly #actor: Actor<typeof negotiationSession>;
  readonly #outgoing: OutgoingSession | undefined;
  readonly #framer: MessageFramer;
  readonly #decodeLimits: DecodeLimits;
  #listener: ObjectiveListener | undefined;
  #client: ClientLink | undefined;
  #stream: Stream | undefined;
  #remote: Target | undefined;
  #connecting: Cancellation | undefined;
  #drawn: DrawnId | undefined;
  #sessionId: number | undefined;
  #activeKey: string | undefined;
  #timer: TimerId | undefined;
  /** Tells a timer that is due from one that was stopped in the same turn. */
  #timerRound = 0;
  /** The command being carried out, until it is answered. */
  #command: CommandEvent | undefined;
  #deaf = false;
  #admitted = false;
  #over = false;
  #released = false;
  /** The stream is reset, not finished, when the session ends. */
  #abortive = false;

  maxMessageBytes: number;
  key: SessionKey;
  /** Owner of the session; 0 until an ASA has taken the request. */
  asa = 0;

  private constructor(
    owner: SessionOwner,
    key: SessionKey,
    name: string,
    maxMessageBytes: number,
    outgoing: OutgoingSession | undefined,
  ) {
    this.#owner = owner;
    this.key = key;
    this.maxMessageBytes = maxMessageBytes;
    this.#outgoing = outgoing;
    this.#framer = new MessageFramer({ maxBytes: maxMessageBytes });
    this.#decodeLimits = owner.decodeLimits(maxMessageBytes);
    if (outgoing) {
      this.#client = outgoing.client;
      this.asa = outgoing.asa;
      this.#drawn = owner.drawSessionId();
      this.#sessionId = this.#drawn?.sessionId;
    }
    this.#actor = createActor(owner.sessionLogic, {
      input: {
        port: this,
        name,
        sessionId: this.#sessionId,
        drawTimeoutMs: owner.limits.sessionIdWaitMs,
      },
    });
    this.#actor.subscribe({ error: (error) => this.#crashed(error) });
    this.#actor.start();
  }

  /** A session that a client requests; the caller sends the `request` command next. */
  static initiator(
    owner: SessionOwner,
    objective: ObjectiveHead,
    outgoing: OutgoingSession,
  ): NegotiationDriver {
    return new NegotiationDriver(owner, outgoing.key, objective.name, outgoing.maxMessageBytes, outgoing);
  }

  /** A stream that an objective's listener has accepted; the caller calls {@link accepted} in the same turn. */
  static responder(
    owner: SessionOwner,
    key: SessionKey,
    listener: ObjectiveListener,
    stream: Stream,
  ): NegotiationDriver {
    const session = new NegotiationDriver(
      owner,
      key,
      listener.objective,
      listener.maxMessageBytes,
      undefined,
    );
    session.#listener = listener;
    session.#stream = stream;
    session.#remote = stream.remote;
    return session;
  }

  /** The state of the machine, for status. */
  get state(): string {
    return this.#actor.getSnapshot().value;
  }

  get objective(): string {
    return this.#actor.getSnapshot().context.name;
  }

  get client(): ClientLink | undefined {
    return this.#client;
  }

  get listener(): ObjectiveListener | undefined {
    return this.#listener;
  }

  // Events

  /** Begins to read an accepted stream. */
  accepted(): void {
    this.#stream?.setHandlers(this);
    this.#actor.send({ type: 'accepted', firstMessageMs: this.#owner.limits.firstMessageMs });
  }

  command(event: CommandEvent): void {
    this.#command = event;
    this.#actor.send(event);
    this.#command = undefined;
  }

  /** The engine ends the session with this code. */
  end(code: number, detail?: string): void {
    this.#actor.send({ type: 'session.close', code, detail });
  }

  /** A pending connection makes room: its descriptor is needed now, so it is reset. */
  evict(): void {
    this.#abortive = true;
    this.end(ErrorCode.overload);
  }

  sessionIdDrawn(id: DrawnId): void {
    this.#drawn = id;
    this.#sessionId = id.sessionId;
    this.#actor.send({ type: 'sessionId.drawn', sessionId: id.sessionId });
  }

  taken(listen: number, asa: number, client: ClientLink, maxMessageBytes: number): void {
    this.asa = asa;
    this.#client = client;
    this.maxMessageBytes = maxMessageBytes;
    this.#actor.send({ type: 'request.taken', listen });
  }

  refused(): void {
    this.#actor.send(REFUSED);
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  onData(bytes: Uint8Array): void {
    if (this.#over || this.#deaf) return;
    this.#framer.push(bytes);
    for (let next = this.#framer.next(); next.kind !== 'more'; next = this.#framer.next()) {
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
    if (!this.#over) this.#actor.send({ type: 'stream.lost', truncated: this.#framer.pendingBytes > 0 });
  }

  onClose(error?: SubstrateError): void {
    const stream = this.#stream;
    if (stream) this.#owner.linger.closed(stream);
    if (error && !this.#over) this.#owner.counters.add(`stream.${error.kind}`);
    this.#stream = undefined;
    if (!this.#over) this.#actor.send({ type: 'stream.lost', truncated: false });
  }

  #receive(bytes: Uint8Array): void {
    const result = decodeMessage(bytes, 'session', this.#decodeLimits);
    if (!result.ok) {
      this.#refuse(result.kind, result.reason, result.messageType, result.sessionId);
      return;
    }
    const { message } = result;
    if (result.droppedOptions > 0) this.#owner.counters.add('message.option-dropped', result.droppedOptions);
    if (this.#sessionId !== undefined && 'sessionId' in message && message.sessionId !== this.#sessionId) {
      this.#actor.send(FOREIGN);
      return;
    }
    this.#actor.send({ type: EVENT_OF[message.type], message } as NegotiationEvent);
  }

  #refuse(
    kind: 'malformed' | 'unusable' | 'unknown' | 'misplaced',
    reason: RefusalReason,
    messageType: number | undefined,
    sessionId: number | undefined,
  ): void {
    this.#owner.counters.add(reason);
    // What has no message type has no session id either, whatever its second element is.
    if (messageType === undefined) sessionId = undefined;
    if (this.#sessionId !== undefined && sessionId !== undefined && sessionId !== this.#sessionId) {
      this.#actor.send(FOREIGN);
      return;
    }
    this.#actor.send({ type: 'message.refused', kind, reason, messageType, sessionId });
  }

  readonly #timerDue = (): void => {
    this.#timer = undefined;
    const round = this.#timerRound;
    // In a later turn: input that has already arrived counts, also with M_WAIT 0 (C-10).
    this.#owner.clock.defer(() => {
      if (round === this.#timerRound && !this.#over) this.#actor.send(EXPIRED);
    });
  };

  // NegotiationPort

  get secure(): boolean {
    return this.#owner.secure;
  }

  get sessionsFull(): boolean {
    return this.#owner.sessionsFull;
  }

  get sendBufferFull(): boolean {
    return (this.#stream?.bufferedBytes ?? 0) >= this.#owner.limits.sendBufferBytes;
  }

  judgeSessionId(sessionId: number): Clash {
    return this.#remote ? this.#owner.active.judge(sessionId, this.#remote) : 'none';
  }

  admit(): void {
    this.#admitted = true;
    this.#owner.admitted(this);
  }

  drawSessionId(): void {
    this.#owner.awaitSessionId(this);
  }

  connect(): void {
    const { target, connectTimeoutMs: timeoutMs } = this.#outgoing!;
    this.#connecting = new Cancellation();
    this.#owner.substrate.connect(target, { timeoutMs, signal: this.#connecting }).then(
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
    this.#stream = stream;
    this.#remote = stream.remote;
    this.#activeKey = this.#owner.active.addOutgoing(stream.local);
    if (this.#client?.paused) stream.pause();
    this.#actor.send(CONNECTED);
  }

  #connectFailed(error: unknown): void {
    this.#connecting = undefined;
    if (this.#over) return;
    const detail = error instanceof Error ? error.message : String(error);
    this.#actor.send({ type: 'connect.failed', detail });
  }

  askOwnConnection(): void {
    this.#owner.isOwnConnection(this.#remote!).then(
      (own) => this.#judged(own),
      () => this.#judged(false),
    );
  }

  #judged(own: boolean): void {
    if (!this.#over) this.#actor.send({ type: 'clash.judged', own });
  }

  send(message: Message): void {
    this.#stream?.write(encodeMessage(message));
  }

  startTimer(ms: number): void {
    this.stopTimer();
    this.#timer = this.#owner.clock.setTimeout(this.#timerDue, ms);
  }

  stopTimer(): void {
    this.#timerRound++;
    if (this.#timer === undefined) return;
    this.#owner.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    this.#over = true;
    this.#connecting?.abort();
    const stream = this.#stream;
    if (!stream) return;
    if (this.#abortive) stream.abort();
    else {
      // A paused stream would never see the peer's FIN.
      if (this.#client?.paused) stream.resume();
      this.#owner.linger.finish(stream);
    }
  }

  offer(sessionId: number): void {
    this.#sessionId = sessionId;
    this.#activeKey = this.#owner.active.addIncoming(sessionId, this.#remote!);
    this.#listener!.offer(this);
  }

  withdraw(): void {
    this.#listener?.withdraw(this);
  }

  announce(listen: number, objective: ObjectiveHead, value: Uint8Array): void {
    const client = this.#client!;
    client.adopt(this);
    client.send({
      t: 'incoming',
      listen,
      session: this.key,
      objective,
      value,
      remote: this.#peer(),
      sessionId: this.#sessionId ?? 0,
    });
    if (client.paused) this.#stream?.pause();
  }

  answer(call: number, answer: SessionAnswer): void {
    if (this.#command?.call === call) this.#command = undefined;
    if (answer.state === 'failed') {
      this.#client?.send({ t: 'answer', call, session: this.key, answer });
      return;
    }
    const where = { sessionId: this.#sessionId ?? 0, remote: this.#peer() };
    this.#client?.send({ t: 'answer', call, session: this.key, answer: { ...answer, ...where } });
  }

  done(call: number, failure: Failure | undefined): void {
    if (this.#command?.call === call) this.#command = undefined;
    this.#client?.send({ t: 'done', call, session: this.key, failure });
  }

  reportEnded(failure: Failure): void {
    this.#client?.send({ t: 'ended', session: this.key, failure });
  }

  count(name: string): void {
    this.#owner.counters.add(name);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#over = true;
    const { active } = this.#owner;
    if (this.#activeKey !== undefined) {
      if (this.#outgoing) active.removeOutgoing(this.#activeKey);
      else active.removeIncoming(this.#activeKey);
      this.#activeKey = undefined;
    }
    if (this.#drawn) this.#owner.giveBackSessionId(this.#drawn);
    this.#drawn = undefined;
    this.#owner.released(this, this.#admitted);
  }

  /** Plain data: it goes to another thread. */
  #peer(): Target {
    const { address, port, interface: name } = this.#remote!;
    return name === undefined ? { address, port } : { address, port, interface: name };
  }

  /** An action threw: a fault of this engine. The session ends with 3, nobody else is harmed. */
  #crashed(error: unknown): void {
    this.count('session.crashed');
    const failure: Failure = {
      code: ErrorCode.unspec,
      detail: error instanceof Error ? error.message : String(error),
    };
    const { context, value } = this.#actor.getSnapshot();
    const command = this.#command;
    if (command?.type === 'step' || command?.type === 'request')
      this.answer(command.call, { state: 'failed', failure });
    else if (command) this.done(command.call, failure);
    if (CALL_WAITS.has(value)) this.answer(context.call, { state: 'failed', failure });
    else if (value === 'ourTurn' && !command) this.reportEnded(failure);
    this.stopTimer();
    this.#abortive = true;
    this.withdraw();
    try {
      this.close();
    } catch {
      // The stream itself is broken; there is nothing more to close.
    }
    this.release();
  }
}

/** States in which a call of the client awaits its answer. */
const CALL_WAITS: ReadonlySet<string> = new Set(['awaitingSessionId', 'connecting', 'awaitingReply']);
