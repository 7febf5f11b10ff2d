/** Actors that an inspection has chosen, and what it tells of them. */
import type { AnyActor, EventObject, InspectionEvent, Subscription } from 'xstate';
import { Link, type Message, type RecencyList } from '../../protocol/index.js';
import type { Described, Subject, WatchedSession } from '../../runtime/index.js';
import type { About, InspectedSession, SafeEvent, SafeSnapshot, SafeValue } from '../inspection-items.js';
import { aboutOf, messageItem, placeText, type Draft } from './item-fields.js';
import type { ItemLine } from './item-line.js';
import { safeText, safeValue } from './safe-value.js';
import type { Conditions, Sampler } from './selection.js';
import { SessionWatch } from './session-watch.js';
import type { SessionEnd, SessionViewer, Viewer } from './viewer.js';

/** What snapshots of all machines have, compiled or not. */
export interface AnySnapshot {
  readonly status: SafeSnapshot['status'];
  readonly value?: unknown;
  readonly context?: unknown;
}

/** What the actors of one inspection in one thread share. */
export interface Stage {
  readonly viewer: Viewer;
  /** Before the `/` in ids of actors. */
  readonly prefix: string;
  readonly conditions: Conditions;
  readonly line: ItemLine<AnySnapshot>;
  /** All that are shown now. */
  readonly shown: RecencyList<ShownActor>;
}

export class ShownActor {
  readonly link: Link<ShownActor> = new Link<ShownActor>(this);
  readonly id: string;
  protected readonly stage: Stage;
  protected readonly actor: AnyActor;
  readonly #machine: string;
  readonly #existing: boolean;
  /** The conditions leave its machine out: only its messages and its outcome are shown. */
  readonly #silent: boolean;
  /** It meets the conditions, and its reader knows it; until then what decides is not known. */
  #told = false;
  /** State before the tick that is under way. */
  #before: unknown = undefined;
  #about: About = {};
  /** Session id and peer are known: it says no more than it did. */
  #settled = false;
  /** Both are shown more than once: an event again with the snapshot that follows, a context until another takes its place. */
  readonly #event = new Shown<EventObject, SafeEvent>(safeEvent);
  readonly #context = new Shown<unknown, SafeValue>(safeValue);
  #inspected: Subscription | undefined;
  #failing: Subscription | undefined;

  /** @param existing it was there before the inspection. */
  constructor(stage: Stage, actor: AnyActor, existing: boolean) {
    this.stage = stage;
    this.actor = actor;
    this.#existing = existing;
    this.#machine = machineOf(actor);
    this.#silent = !stage.conditions.wantsMachine(this.#machine);
    this.id = `${stage.prefix}/${actor.sessionId}`;
  }

  /** From here on it is followed; it is told of as soon as it is known to meet the conditions. */
  begin(): void {
    this.stage.shown.push(this.link);
    // One that throws has no snapshot of it.
    this.#failing = this.actor.subscribe({
      error: () => this.tellLast(this.actor.getSnapshot() as AnySnapshot, { type: 'xstate.error' }),
    });
    this.follow();
    this.isTold();
  }

  protected follow(): void {
    this.inspect();
  }

  /** Not shown any more, whatever it does. */
  forget(): void {
    this.stage.shown.remove(this.link);
    this.#failing?.unsubscribe();
    this.#failing = undefined;
    this.uninspect();
  }

  protected get subject(): Subject {
    return subjectOf(this.actor);
  }

  /** As it is known now. */
  protected get about(): About {
    if (!this.#settled) this.#renew(this.subject);
    return this.#about;
  }

  protected get told(): boolean {
    return this.#told;
  }

  /** Whether it is shown; what decides may have become known since it was asked before. */
  protected isTold(): boolean {
    if (this.#told) return true;
    const { subject } = this;
    const verdict = this.stage.conditions.judge(subject);
    if (verdict === 'yes') this.#introduce(subject);
    else if (verdict === 'no') this.forget();
    return verdict === 'yes';
  }

  #introduce(subject: Subject): void {
    this.#told = true;
    this.#renew(subject);
    if (this.#silent || !this.stage.line.mayAdd()) return;
    const { line } = this.stage;
    line.add({
      type: '@xstate.actor',
      thread: line.thread,
      at: line.now(),
      seq: line.next(),
      sessionId: this.id,
      rootId: this.id,
      machine: this.#machine,
      about: this.about,
      snapshot: this.#safe(this.actor.getSnapshot() as AnySnapshot),
      existing: this.#existing,
    });
  }

  #renew(subject: Subject): void {
    this.#about = aboutOf(subject);
    this.#settled = subject.session !== undefined && subject.peer !== undefined;
  }

  protected inspect(): void {
    this.#inspected ??= this.actor.system.inspect((event: InspectionEvent) => {
      if (event.type === '@xstate.event') this.event(event.event);
      else if (event.type === '@xstate.snapshot') this.snapshot(event.event, event.snapshot as AnySnapshot);
    });
  }

  protected uninspect(): void {
    this.#inspected?.unsubscribe();
    this.#inspected = undefined;
  }

  /** It gets an event. */
  protected event(event: EventObject): void {
    // How it began is what its introduction shows. Supervision looks at every thread ten times a second.
    if (event.type === 'xstate.init') return;
    if (event.type === 'tick') {
      this.#before = (this.actor.getSnapshot() as AnySnapshot).value;
      return;
    }
    const { line } = this.stage;
    if (!this.isTold() || this.#silent || !line.mayAdd()) return;
    line.add({
      type: '@xstate.event',
      thread: line.thread,
      at: line.now(),
      seq: line.next(),
      sessionId: this.id,
      rootId: this.id,
      machine: this.#machine,
      about: this.about,
      event: this.#event.of(event),
      sourceId: undefined,
    });
  }

  /** What it is after the event. */
  protected snapshot(event: EventObject, snapshot: AnySnapshot): void {
    if (event.type === 'xstate.init') return;
    // A tick that changes no state says nothing; of one that does, the snapshot tells.
    if (event.type === 'tick' && snapshot.value === this.#before) return;
    if (event.type === 'xstate.stop') this.tellLast({ ...snapshot, status: 'stopped' }, event);
    else if (snapshot.status !== 'active') this.tellLast(snapshot, event);
    else if (this.isTold()) this.#tell(snapshot, event);
  }

  /** It is gone. */
  protected tellLast(snapshot: AnySnapshot, event: EventObject): void {
    if (this.isTold()) this.#tell(snapshot, event);
    this.forget();
  }

  #tell(snapshot: AnySnapshot, event: EventObject): void {
    const { line } = this.stage;
    if (this.#silent) return;
    if (line.stalled) return line.owe(this, snapshot);
    if (!line.mayAdd()) return;
    line.add({
      type: '@xstate.snapshot',
      thread: line.thread,
      at: line.now(),
      seq: line.next(),
      sessionId: this.id,
      rootId: this.id,
      machine: this.#machine,
      about: this.about,
      event: this.#event.of(event),
      snapshot: this.#safe(snapshot),
    });
  }

  /** What was owed while the reader was behind. */
  pay(snapshot: AnySnapshot): void {
    this.#tell(snapshot, { type: 'inspection.resumed' });
  }

  #safe({ status, value, context }: AnySnapshot): SafeSnapshot {
    return { status, value: safeValue(value), context: this.#context.of(context) };
  }
}

/** The last thing shown, and what it was shown as. Events and contexts do not change: what is the same is shown the same. */
class Shown<T, S> {
  readonly #show: (what: T) => S;
  #last: { readonly what: T; readonly as: S } | undefined;

  constructor(show: (what: T) => S) {
    this.#show = show;
  }

  of(what: T): S {
    if (this.#last?.what !== what || this.#last === undefined) this.#last = { what, as: this.#show(what) };
    return this.#last.as;
  }
}

/** A session of either role. */
export class ShownSession extends ShownActor implements SessionViewer {
  readonly #session: WatchedSession;

  constructor(stage: Stage, session: WatchedSession, existing: boolean) {
    super(stage, session.actor as AnyActor, existing);
    this.#session = session;
  }

  get viewer(): Viewer {
    return this.stage.viewer;
  }

  protected override get subject(): Subject {
    return subjectOfSession(this.#session);
  }

  protected override isTold(): boolean {
    if (super.isTold()) return true;
    // It is about something else: it has nobody to tell, as if it had not been chosen.
    if (this.link.list === undefined) SessionWatch.of(this.#session)?.leave(this.viewer);
    return false;
  }

  begun(): void {
    const { line } = this.stage;
    if (this.isTold() && line.mayAdd()) line.add(this.#item('begun', this.about));
  }

  message(
    session: WatchedSession,
    direction: 'sent' | 'received',
    message: Message,
    bytes: Uint8Array,
  ): void {
    const { conditions, line } = this.stage;
    const { subject } = session;
    if (!this.told) {
      // A peer's request is here before its machine knows of it.
      const known = 'sessionId' in message ? { ...subject, session: message.sessionId } : subject;
      if (conditions.judge({ ...known, objective: session.objective }) !== 'yes') return;
    }
    if (!line.mayAdd()) return;
    const { peer, role } = subject;
    const origin = {
      thread: line.thread,
      at: line.now(),
      seq: line.next(),
      direction,
      via: 'stream',
    } as const;
    const item = messageItem(origin, message, bytes.length);
    item.actor = this.id;
    if (role === 'initiator' || role === 'responder') item.role = role;
    if (peer) item.peer = placeText(peer);
    if (peer?.interface) item.interface = peer.interface;
    line.add(item);
  }

  ended(_: WatchedSession, { outcome, code, reason, tookMs, session }: SessionEnd): void {
    const { line } = this.stage;
    if (!this.isTold() || !line.mayAdd()) return;
    const item = this.#item('ended', withSession(this.about, session));
    item.outcome = outcome;
    if (code !== undefined) item.code = code;
    if (reason !== undefined) item.reason = safeText(reason);
    if (tookMs !== undefined) item.tookMs = tookMs;
    line.add(item);
  }

  #item(phase: InspectedSession['phase'], about: About): Draft<InspectedSession> {
    const { line } = this.stage;
    return {
      type: 'grasp.session',
      thread: line.thread,
      at: line.now(),
      seq: line.next(),
      phase,
      procedure: procedureOf(this.#session),
      actor: this.id,
      about,
    };
  }
}

/**
 * An actor through which everything of its kind passes: floods, discoveries, requests. Of its events a share is shown, and
 * xstate makes objects of every event of an actor that is inspected: so it is, only while a chosen one is under way.
 */
export class ShownPassage extends ShownActor {
  readonly #events: Sampler;
  /** Chosen, and not yet through. More than one: it came while another was under way. */
  readonly #chosen = new Set<EventObject>();
  #latest: EventObject = { type: 'xstate.init' };
  #ending: Subscription | undefined;

  constructor(stage: Stage, actor: AnyActor, existing: boolean, events: Sampler) {
    super(stage, actor, existing);
    this.#events = events;
  }

  protected override follow(): void {
    // Its end is told, whatever event that comes with.
    this.#ending = this.actor.subscribe({
      complete: () => {
        const snapshot = this.actor.getSnapshot() as AnySnapshot;
        const stopped = snapshot.status === 'active';
        this.tellLast(stopped ? { ...snapshot, status: 'stopped' } : snapshot, this.#latest);
      },
    });
  }

  override forget(): void {
    this.#ending?.unsubscribe();
    this.#ending = undefined;
    super.forget();
  }

  comes(event: EventObject): void {
    this.#latest = event;
    if (!this.isTold()) return;
    if (!this.#events.choose()) return this.stage.line.count('unsampled');
    this.#chosen.add(event);
    this.inspect();
  }

  protected override event(event: EventObject): void {
    if (this.#chosen.has(event)) super.event(event);
  }

  protected override snapshot(event: EventObject, snapshot: AnySnapshot): void {
    if (!this.#chosen.delete(event)) return;
    if (this.#chosen.size === 0) this.uninspect();
    super.snapshot(event, snapshot);
  }
}

export function withSession(about: About, session: number | undefined): About {
  return about.session === undefined && session !== undefined ? { ...about, session } : about;
}

export function procedureOf({ machine }: WatchedSession): 'negotiation' | 'synchronization' {
  return machine === 'synchronizationSession' ? 'synchronization' : 'negotiation';
}

export function machineOf(actor: AnyActor): string {
  return (actor.logic as { id?: string }).id ?? 'actor';
}

/** What its port says, with the objective from where some keep it. */
export function subjectOf(actor: AnyActor): Subject {
  const { context } = actor.getSnapshot() as { context?: { port?: Described; name?: unknown } };
  const subject = context?.port?.subject ?? {};
  if (subject.objective !== undefined || typeof context?.name !== 'string') return subject;
  return { ...subject, objective: context.name };
}

export function subjectOfSession({ subject, objective }: WatchedSession): Subject {
  const { peer, session, role } = subject;
  return { objective, peer, session, role };
}

function safeEvent(event: EventObject): SafeEvent {
  const safe = safeValue(event);
  const type = safeText(event.type);
  if (typeof safe !== 'object' || safe === null || Array.isArray(safe)) return { type };
  // Its type is among its fields, unless it has too many.
  const fields = safe as Readonly<Record<string, SafeValue>>;
  return fields['type'] === type ? (fields as SafeEvent) : { ...fields, type };
}
