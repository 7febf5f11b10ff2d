import type { Message } from '../../protocol/index.js';
import type { Clock, WatchedSession } from '../../runtime/index.js';
import type { About } from '../inspection-items.js';
import type { DiagnosticEvent, DiagnosticName, SessionEnded } from './diagnostic-events.js';
import { aboutOf, nameOf, objectiveNames, placeText, SHOWN_PARTS, type Draft } from './item-fields.js';
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
  readonly #wantsSessions: boolean;
  /** Since the last batch. */
  readonly #counts = new Map<string, number>();
  #sizes: CacheSizes = { discovery: 0, flood: 0 };

  constructor(options: DiagnosticsViewerOptions) {
    this.#options = options;
    this.#wanted = new Set(options.events);
    this.#wantsSessions = SESSION_EVENTS.some((name) => this.#wanted.has(name));
    if (this.#wanted.has('caches') && options.caches) this.#tellCaches(options.caches());
  }

  get viewer(): this {
    return this;
  }

  sessionMade(): SessionViewer | undefined {
    return this.#wantsSessions ? this : undefined;
  }

  begun(session: WatchedSession): void {
    if (!this.#wants('session.begun')) return;
    const procedure = procedureOf(session);
    this.#add({
      name: 'session.begun',
      thread: this.#thread,
      at: this.#now,
      procedure,
      about: about(session),
    });
  }

  step(session: WatchedSession, message: Message, latencyMs: number): void {
    if (!this.#wants('session.step')) return;
    this.#add({
      name: 'session.step',
      thread: this.#thread,
      at: this.#now,
      procedure: procedureOf(session),
      about: about(session),
      message: nameOf(message),
      latencyMs,
    });
  }

  ended(session: WatchedSession, { outcome, code, reason, tookMs, session: id }: SessionEnd): void {
    if (!this.#wants('session.ended')) return;
    const event: Draft<SessionEnded> = {
      name: 'session.ended',
      thread: this.#thread,
      at: this.#now,
      procedure: procedureOf(session),
      about: withSession(about(session), id),
      outcome,
    };
    if (code !== undefined) event.code = code;
    if (reason !== undefined) event.reason = safeText(reason);
    if (tookMs !== undefined) event.tookMs = tookMs;
    this.#add(event);
  }

  passed(passed: PassedPacket): void {
    if (!this.#wants('multicast')) return;
    const { message } = passed;
    if (!message) return;
    const { direction, via, bytes, peer, interface: name, relayed } = passed.packet;
    this.#add({
      name: 'multicast',
      thread: this.#thread,
      at: this.#now,
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
    // The names are this engine's own, and few: what a storm is counted as leaves once per batch.
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + n);
    this.#options.line.wake();
  }

  /** Called by the line just before a batch leaves. */
  flush(): void {
    const { caches, line } = this.#options;
    for (const [counter, n] of this.#counts) {
      if (line.stalled) line.count('slow');
      else this.#add({ name: 'count', thread: this.#thread, at: this.#now, counter, n });
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
    else this.#add({ name: 'caches', thread: this.#thread, at: this.#now, ...sizes });
  }

  #wants(name: DiagnosticName): boolean {
    if (!this.#wanted.has(name)) return false;
    if (!this.#options.line.stalled) return true;
    this.#options.line.count('slow');
    return false;
  }

  get #thread(): string {
    return this.#options.thread;
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  #add(event: DiagnosticEvent): void {
    this.#options.line.add(event);
  }
}

function about(session: WatchedSession): About {
  return aboutOf(subjectOfSession(session));
}
