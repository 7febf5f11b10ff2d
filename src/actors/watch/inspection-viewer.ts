import type { AnyActor, InspectionEvent } from 'xstate';
import { MESSAGE_NAMES, type Message } from '../../protocol/index.js';
import type { Clock, Described, Subject, WatchedSession } from '../../runtime/index.js';
import type {
  About,
  InspectedMessage,
  InspectionItem,
  MessageName,
  SafeEvent,
  SafeSnapshot,
} from '../inspection-items.js';
import { aboutOf, messageFields, placeText } from './item-fields.js';
import type { InspectionSpec } from './protocol.js';
import { safeText, safeValue } from './safe-value.js';
import { Conditions, Rate, Sampler } from './selection.js';
import type { SessionEnd, Viewer, WatchedPacket } from './viewer.js';
import type { ViewerLine } from './viewer-line.js';

/**
 * Machines whose actors live as long as what they stand for: they are always shown, and of what happens to them the
 * share that was asked for. Through some of them everything passes.
 */
const LASTING: ReadonlySet<string> = new Set([
  'binding',
  'floodRelay',
  'multicastHandler',
  'requestListener',
  'workerSupervision',
]);

/** Snapshots that are owed to a reader that is behind; beyond, the one owed longest is let go. */
const MOST_OWED = 10_000;

/** An actor that was chosen. */
interface Shown {
  readonly actor: AnyActor;
  readonly id: string;
  readonly machine: string;
  readonly lasting: boolean;
  readonly existing: boolean;
  /** The conditions leave its machine out: only its messages and its outcome are shown. */
  readonly silent: boolean;
  /** It meets the conditions, and its reader knows it; until then what decides is not known. */
  told: boolean;
  /** State before the tick that is under way. */
  before: unknown;
  /** Of a lasting one: what happens now is shown. */
  taking: boolean;
  about: About;
  /** Session id and peer are known: it says no more than it did. */
  settled: boolean;
  unsubscribe: () => void;
}

/** What snapshots of all machines have, compiled or not. */
interface AnySnapshot {
  readonly status: SafeSnapshot['status'];
  readonly value?: unknown;
  readonly context?: unknown;
}

export interface InspectionViewerOptions {
  readonly spec: InspectionSpec;
  /** Name of the thread, and of its actors before the `/`. */
  readonly thread: string;
  readonly prefix: string;
  readonly clock: Clock;
  readonly line: ViewerLine;
}

/** One inspection, in one thread: chooses first, then converts, then lets the line carry it. */
export class InspectionViewer implements Viewer {
  readonly #options: InspectionViewerOptions;
  readonly #line: ViewerLine;
  readonly #conditions: Conditions;
  readonly #actors: Sampler;
  readonly #events: Sampler;
  readonly #packets: Sampler;
  readonly #rate: Rate;
  readonly #shown = new Map<object, Shown>();
  /** Latest snapshot of what has moved on while the line was stalled. */
  readonly #owed = new Map<Shown, AnySnapshot>();
  #seq = 0;

  constructor(options: InspectionViewerOptions) {
    this.#options = options;
    const { spec, clock, line } = options;
    this.#line = line;
    this.#conditions = new Conditions(spec);
    this.#actors = new Sampler(spec.share);
    this.#events = new Sampler(spec.share);
    this.#packets = new Sampler(spec.share);
    this.#rate = new Rate(spec.maxPerSecond, () => clock.now());
  }

  actorMade(actor: AnyActor, existing: boolean): void {
    const machine = machineOf(actor);
    const lasting = LASTING.has(machine);
    const wanted = this.#conditions.wantsMachine(machine);
    if (lasting && !wanted) return;
    const verdict = this.#conditions.none ? 'yes' : this.#conditions.judge(subjectOf(actor));
    if (verdict === 'no') return;
    if (lasting ? !wanted : !this.#choose()) return;
    const shown: Shown = {
      actor,
      id: `${this.#options.prefix}/${actor.sessionId}`,
      machine,
      lasting,
      existing,
      silent: !wanted,
      told: false,
      before: undefined,
      taking: true,
      about: {},
      settled: false,
      unsubscribe: nothing,
    };
    this.#shown.set(actor, shown);
    const subscription = actor.system.inspect((event: InspectionEvent) => this.#on(shown, event));
    shown.unsubscribe = () => subscription.unsubscribe();
    if (verdict === 'yes') this.#introduce(shown, subjectOf(actor));
  }

  /** Everything about it is shown, or nothing. */
  #choose(): boolean {
    this.#line.count('seen');
    if (this.#line.stalled) {
      this.#line.count('slow');
      return false;
    }
    if (!this.#actors.choose() || !this.#rate.roomy) {
      this.#line.count('unsampled');
      return false;
    }
    this.#line.count('chosen');
    return true;
  }

  #introduce(shown: Shown, subject: Subject): void {
    shown.told = true;
    shown.about = aboutOf(subject);
    shown.settled = subject.session !== undefined && subject.peer !== undefined;
    if (shown.silent || !this.#mayAdd()) return;
    const snapshot = safeSnapshot(shown.actor.getSnapshot() as AnySnapshot);
    this.#add({ ...this.#head(shown), type: '@xstate.actor', snapshot, existing: shown.existing });
  }

  #on(shown: Shown, event: InspectionEvent): void {
    if (event.type !== '@xstate.event' && event.type !== '@xstate.snapshot') return;
    // How it began is what its introduction shows. Supervision looks at every thread ten times a second.
    if (event.event.type === 'xstate.init' || this.#isIdleTick(shown, event)) return;
    if (event.type === '@xstate.event') {
      if (shown.lasting) shown.taking = this.#events.choose();
      if (!this.#isTold(shown) || shown.silent) return;
      if (!shown.taking) return this.#line.count('unsampled');
      if (!this.#mayAdd()) return;
      this.#add({
        ...this.#head(shown),
        type: '@xstate.event',
        event: safeEvent(event.event),
        sourceId: undefined,
      });
      return;
    }
    const snapshot = event.snapshot as AnySnapshot;
    const stopped = event.event.type === 'xstate.stop';
    const over = stopped || snapshot.status !== 'active';
    if (this.#isTold(shown) && !shown.silent && (shown.taking || over)) {
      this.#snapshot(shown, stopped ? { ...snapshot, status: 'stopped' } : snapshot, event.event);
    }
    if (over) this.#forget(shown);
  }

  /** A tick that changes no state says nothing; of one that does, the snapshot tells. */
  #isIdleTick(shown: Shown, event: InspectionEvent & { event: { readonly type: string } }): boolean {
    if (event.event.type !== 'tick') return false;
    if (event.type === '@xstate.event') {
      shown.before = (shown.actor.getSnapshot() as AnySnapshot).value;
      return true;
    }
    return 'snapshot' in event && (event.snapshot as AnySnapshot).value === shown.before;
  }

  actorFailed(actor: object): void {
    const shown = this.#shown.get(actor);
    if (!shown) return;
    if (shown.told && !shown.silent) {
      this.#snapshot(shown, shown.actor.getSnapshot() as AnySnapshot, { type: 'xstate.error' });
    }
    this.#forget(shown);
  }

  #snapshot(shown: Shown, snapshot: AnySnapshot, event: { readonly type: string }): void {
    if (this.#line.stalled) return this.#owe(shown, snapshot);
    if (!this.#mayAdd()) return;
    this.#add({
      ...this.#head(shown),
      type: '@xstate.snapshot',
      event: safeEvent(event),
      snapshot: safeSnapshot(snapshot),
    });
  }

  /** The newest state of each is kept; those in between are lost. */
  #owe(shown: Shown, snapshot: AnySnapshot): void {
    this.#line.count('slow');
    this.#owed.delete(shown);
    this.#owed.set(shown, snapshot);
    if (this.#owed.size <= MOST_OWED) return;
    for (const oldest of this.#owed.keys()) {
      this.#owed.delete(oldest);
      return;
    }
  }

  /** The reader takes items again. */
  resume(): void {
    for (const [shown, snapshot] of this.#owed) {
      if (this.#line.stalled) return;
      this.#owed.delete(shown);
      this.#snapshot(shown, snapshot, { type: 'inspection.resumed' });
    }
  }

  /** What decides may have become known since the actor was made. */
  #isTold(shown: Shown): boolean {
    if (shown.told) return true;
    const subject = subjectOf(shown.actor);
    const verdict = this.#conditions.judge(subject);
    if (verdict === 'yes') this.#introduce(shown, subject);
    else if (verdict === 'no') this.#forget(shown);
    return verdict === 'yes';
  }

  #forget(shown: Shown): void {
    shown.unsubscribe();
    // A session's end is told after its last transition has begun: it is looked up once more then.
    if (this.#shown.get(shown.actor) === shown) this.#shown.delete(shown.actor);
  }

  sessionBegun(session: WatchedSession): void {
    const shown = this.#shownSession(session);
    if (!shown || !this.#mayAdd()) return;
    const { id: actor, about } = shown;
    const procedure = procedureOf(session);
    this.#add({ ...this.#item(), type: 'grasp.session', phase: 'begun', procedure, actor, about });
  }

  sessionEnded(session: WatchedSession, end: SessionEnd): void {
    const shown = this.#shownSession(session);
    if (!shown || !this.#mayAdd()) return;
    const { id: actor } = shown;
    const { reason, session: id, ...rest } = end;
    const about = withSession(shown.about, id);
    this.#add({
      ...this.#item(),
      type: 'grasp.session',
      phase: 'ended',
      procedure: procedureOf(session),
      actor,
      about,
      ...rest,
      ...(reason === undefined ? {} : { reason: safeText(reason) }),
    });
  }

  sessionMessage(
    session: WatchedSession,
    direction: 'sent' | 'received',
    message: Message,
    bytes: Uint8Array,
  ): void {
    const shown = this.#shown.get(session.actor);
    if (!shown) return;
    const { subject } = session;
    const known = 'sessionId' in message ? { ...subject, session: message.sessionId } : subject;
    // A peer's request is here before its machine knows of it.
    if (!shown.told && this.#conditions.judge({ ...known, objective: session.objective }) !== 'yes') return;
    if (!this.#mayAdd()) return;
    const { peer, role } = subject;
    const item: InspectedMessage = {
      ...this.#item(),
      type: 'grasp.message',
      direction,
      via: 'stream',
      actor: shown.id,
      ...(role === 'initiator' || role === 'responder' ? { role } : {}),
      ...(peer ? { peer: placeText(peer) } : {}),
      ...(peer?.interface ? { interface: peer.interface } : {}),
      ...messageFields(message, bytes.length),
    };
    this.#add(item);
  }

  passed({ direction, via, bytes, message, peer, interface: name, relayed }: WatchedPacket): void {
    if (!this.#conditions.meets(message, peer)) return;
    if (!this.#packets.choose()) return this.#line.count('unsampled');
    if (!this.#mayAdd()) return;
    this.#add({
      ...this.#item(),
      type: 'grasp.message',
      direction,
      via,
      ...(peer ? { peer: placeText(peer) } : {}),
      ...(name ? { interface: name } : {}),
      ...(relayed ? { relayed } : {}),
      ...messageFields(message, bytes.length),
    });
  }

  close(): void {
    for (const shown of [...this.#shown.values()]) this.#forget(shown);
    this.#owed.clear();
    this.#line.close();
  }

  #shownSession({ actor }: WatchedSession): Shown | undefined {
    const shown = this.#shown.get(actor);
    return shown && this.#isTold(shown) ? this.#renewed(shown) : undefined;
  }

  #renewed(shown: Shown): Shown {
    if (shown.settled) return shown;
    const subject = subjectOf(shown.actor);
    shown.about = aboutOf(subject);
    shown.settled = subject.session !== undefined && subject.peer !== undefined;
    return shown;
  }

  /** Whether another item may leave; what may not is counted, and never made. */
  #mayAdd(): boolean {
    if (this.#line.stalled) this.#line.count('slow');
    else if (this.#rate.take()) return true;
    else this.#line.count('rate');
    return false;
  }

  #item(): { thread: string; at: number; seq: number } {
    const { thread, clock } = this.#options;
    return { thread, at: clock.now(), seq: this.#seq++ };
  }

  #head(shown: Shown) {
    const { id, machine, about } = this.#renewed(shown);
    return { ...this.#item(), sessionId: id, rootId: id, machine, about };
  }

  #add(item: InspectionItem): void {
    this.#line.add(item);
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

/** What its port says, with the objective from where sessions keep it. */
export function subjectOf(actor: AnyActor): Subject {
  const { context } = actor.getSnapshot() as { context?: { port?: Described; name?: unknown } };
  const subject = context?.port?.subject ?? {};
  if (subject.objective !== undefined || typeof context?.name !== 'string') return subject;
  return { ...subject, objective: context.name };
}

function safeSnapshot({ status, value, context }: AnySnapshot): SafeSnapshot {
  return { status, value: safeValue(value), context: safeValue(context) };
}

function safeEvent(event: { readonly type: string }): SafeEvent {
  const safe = safeValue(event);
  const fields = typeof safe === 'object' && safe !== null && !Array.isArray(safe) ? safe : {};
  return { ...(fields as Omit<SafeEvent, 'type'>), type: safeText(event.type) };
}

export function nameOf(message: Message): MessageName {
  return MESSAGE_NAMES[message.type] as MessageName;
}

function nothing(): void {
  // Replaced as soon as there is something to undo.
}
