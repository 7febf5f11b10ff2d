import type { Message } from '../../protocol/index.js';
import type { Clock, WatchedSession } from '../../runtime/index.js';
import type { DiagnosticEvent, DiagnosticName } from './diagnostic-events.js';
import { nameOf } from './inspection-viewer.js';
import { aboutOf, objectiveNames, placeText, SHOWN_PARTS } from './item-fields.js';
import type { PassedPacket } from './passed-packet.js';
import { safeText } from './safe-value.js';
import { procedureOf, subjectOfSession, withSession } from './shown-actor.js';
import type { SessionEnd, SessionViewer, Viewer } from './viewer.js';
import type { ViewerLine } from './viewer-line.js';

const SESSION_EVENTS: readonly DiagnosticName[] = ['session.begun', 'session.step', 'session.ended'];

/** Sizes of what this host keeps for later. */
export interface CacheSizes {
  readonly discovery: number;
  readonly flood: number;
}

export interface DiagnosticsViewerOptions {
  readonly events: readonly DiagnosticName[];
  readonly thread: string;
  readonly clock: Clock;
  readonly line: ViewerLine;
  /** Core. */
  readonly caches?: (() => CacheSizes) | undefined;
}

/** What one thread tells for `node:diagnostics_channel`: only the events that somebody has subscribed to. */
export class DiagnosticsViewer implements Viewer, SessionViewer {
  readonly #options: DiagnosticsViewerOptions;
  readonly #wanted: ReadonlySet<DiagnosticName>;
  /** Of this turn. */
  readonly #counts = new Map<string, number>();
  #sizes: CacheSizes = { discovery: 0, flood: 0 };

  constructor(options: DiagnosticsViewerOptions) {
    this.#options = options;
    this.#wanted = new Set(options.events);
    if (this.#wanted.has('caches') && options.caches) this.#tellCaches(options.caches());
  }

  get viewer(): this {
    return this;
  }

  sessionMade(): SessionViewer | undefined {
    return SESSION_EVENTS.some((name) => this.#wanted.has(name)) ? this : undefined;
  }

  begun(session: WatchedSession): void {
    if (!this.#wants('session.begun')) return;
    this.#add({ name: 'session.begun', ...this.#session(session) });
  }

  step(session: WatchedSession, message: Message, latencyMs: number): void {
    if (!this.#wants('session.step')) return;
    this.#add({ name: 'session.step', ...this.#session(session), message: nameOf(message), latencyMs });
  }

  ended(session: WatchedSession, end: SessionEnd): void {
    if (!this.#wants('session.ended')) return;
    const { reason, session: id, ...rest } = end;
    const said = reason === undefined ? {} : { reason: safeText(reason) };
    const head = this.#session(session);
    this.#add({ name: 'session.ended', ...head, about: withSession(head.about, id), ...rest, ...said });
  }

  passed(passed: PassedPacket): void {
    if (!this.#wants('multicast')) return;
    const { message } = passed;
    if (!message) return;
    const { direction, via, bytes, peer, interface: name, relayed } = passed.packet;
    this.#add({
      name: 'multicast',
      ...this.#head(),
      direction,
      via,
      message: nameOf(message),
      ...('sessionId' in message ? { session: message.sessionId } : {}),
      objectives: objectiveNames(message).slice(0, SHOWN_PARTS).map(safeText),
      ...(peer ? { peer: placeText(peer) } : {}),
      ...(name ? { interface: name } : {}),
      ...(relayed ? { relayed } : {}),
      bytes: bytes.length,
    });
  }

  counted(name: string, n: number): void {
    if (!this.#wanted.has('count')) return;
    // The names are this engine's own, and few: what a storm is counted as leaves once per turn.
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + n);
    this.#options.line.wake();
  }

  /** Called by the line just before the events of a turn leave. */
  flush(): void {
    const { caches, line } = this.#options;
    for (const [counter, n] of this.#counts) {
      if (line.stalled) line.count('slow');
      else this.#add({ name: 'count', ...this.#head(), counter, n });
    }
    this.#counts.clear();
    if (caches && this.#wanted.has('caches')) this.#tellCaches(caches());
  }

  close(): void {
    this.#options.line.close();
  }

  #tellCaches(sizes: CacheSizes): void {
    if (sizes.discovery === this.#sizes.discovery && sizes.flood === this.#sizes.flood) return;
    this.#sizes = sizes;
    if (this.#options.line.stalled) this.#options.line.count('slow');
    else this.#add({ name: 'caches', ...this.#head(), ...sizes });
  }

  #wants(name: DiagnosticName): boolean {
    if (!this.#wanted.has(name)) return false;
    if (!this.#options.line.stalled) return true;
    this.#options.line.count('slow');
    return false;
  }

  #head(): { thread: string; at: number } {
    return { thread: this.#options.thread, at: this.#options.clock.now() };
  }

  #session(session: WatchedSession) {
    const about = aboutOf(subjectOfSession(session));
    return { ...this.#head(), procedure: procedureOf(session), about };
  }

  #add(event: DiagnosticEvent): void {
    this.#options.line.add(event);
  }
}
