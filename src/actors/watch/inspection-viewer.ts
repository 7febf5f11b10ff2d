import type { AnyActor, EventObject } from 'xstate';
import { RecencyList } from '../../protocol/index.js';
import type { Clock, Subject, WatchedSession } from '../../runtime/index.js';
import { messageItem, placeText } from './item-fields.js';
import { ItemLine } from './item-line.js';
import type { PassedPacket } from './passed-packet.js';
import type { InspectionSpec } from './protocol.js';
import { Conditions, Sampler } from './selection.js';
import {
  machineOf,
  ShownActor,
  ShownPassage,
  ShownSession,
  subjectOf,
  subjectOfSession,
  type AnySnapshot,
  type Stage,
} from './shown-actor.js';
import type { SessionViewer, Viewer } from './viewer.js';
import type { ViewerLine } from './viewer-line.js';

/** Machines whose actors live as long as what they stand for: they are always shown. */
const LASTING: ReadonlySet<string> = new Set(['binding', 'workerSupervision']);
/** So are these; of what passes through them the share that was asked for. */
const PASSAGES: ReadonlySet<string> = new Set(['floodRelay', 'multicastHandler', 'requestListener']);

export interface InspectionViewerOptions {
  readonly spec: InspectionSpec;
  /** Name of the thread, and of its actors before the `/`. */
  readonly thread: string;
  readonly prefix: string;
  readonly clock: Clock;
  readonly line: ViewerLine;
}

/** One inspection, in one thread: chooses, before anything is made; those that are chosen convert and tell. */
export class InspectionViewer implements Viewer {
  readonly #line: ItemLine<AnySnapshot>;
  readonly #conditions: Conditions;
  readonly #actors: Sampler;
  readonly #events: Sampler;
  readonly #packets: Sampler;
  readonly #stage: Stage;
  readonly #passages = new WeakMap<object, ShownPassage>();

  constructor({ spec, thread, prefix, clock, line }: InspectionViewerOptions) {
    this.#line = new ItemLine({ line, clock, thread, maxPerSecond: spec.maxPerSecond });
    this.#conditions = new Conditions(spec);
    this.#actors = new Sampler(spec.share);
    this.#events = new Sampler(spec.share);
    this.#packets = new Sampler(spec.share);
    this.#stage = {
      viewer: this,
      prefix,
      conditions: this.#conditions,
      line: this.#line,
      shown: new RecencyList<ShownActor>(),
    };
  }

  actorMade(actor: AnyActor, existing: boolean): void {
    const machine = machineOf(actor);
    const passes = PASSAGES.has(machine);
    const lasts = passes || LASTING.has(machine);
    if (lasts && !this.#conditions.wantsMachine(machine)) return;
    if (!this.#wants(() => subjectOf(actor)) || (!lasts && !this.#choose())) return;
    const shown = passes
      ? new ShownPassage(this.#stage, actor, existing, this.#events)
      : new ShownActor(this.#stage, actor, existing);
    if (shown instanceof ShownPassage) this.#passages.set(actor, shown);
    shown.begin();
  }

  eventComes(actor: object, event: EventObject): void {
    this.#passages.get(actor)?.comes(event);
  }

  sessionMade(session: WatchedSession, existing: boolean): SessionViewer | undefined {
    if (!this.#wants(() => subjectOfSession(session)) || !this.#choose()) return undefined;
    const shown = new ShownSession(this.#stage, session, existing);
    shown.begin();
    return shown;
  }

  /** False: it is about something else. It may not be known yet. */
  #wants(subject: () => Subject): boolean {
    return this.#conditions.none || this.#conditions.judge(subject()) !== 'no';
  }

  /** Everything about it is shown, or nothing. */
  #choose(): boolean {
    const line = this.#line;
    line.count('seen');
    if (line.stalled) {
      line.count('slow');
      return false;
    }
    if (!this.#actors.choose() || !line.roomy) {
      line.count('unsampled');
      return false;
    }
    line.count('chosen');
    return true;
  }

  passed(passed: PassedPacket): void {
    const line = this.#line;
    if (!this.#isAbout(passed)) return;
    if (!this.#packets.choose()) return line.count('unsampled');
    const { message } = passed;
    if (!message || !line.mayAdd()) return;
    const { direction, via, bytes, peer, interface: name, relayed } = passed.packet;
    const origin = { thread: line.thread, at: line.now(), seq: line.next(), direction, via };
    const item = messageItem(origin, message, bytes.length);
    if (peer) item.peer = placeText(peer);
    if (name) item.interface = name;
    if (relayed) item.relayed = relayed;
    line.add(item);
  }

  /** Looked into only where that decides. */
  #isAbout(passed: PassedPacket): boolean {
    if (this.#conditions.none) return true;
    const { packet, message } = passed;
    return message !== undefined && this.#conditions.meets(message, packet.peer);
  }

  /** The reader takes items again. */
  resume(): void {
    this.#line.resume();
  }

  close(): void {
    for (const shown of this.#stage.shown) shown.forget();
    this.#line.close();
  }
}
