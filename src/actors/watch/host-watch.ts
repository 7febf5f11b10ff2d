/**
 * The watcher of one host, there only while somebody watches: it hands what the actors tell to the viewers, one per
 * reader. Loaded when it is first asked for (`workers/host.ts`): an engine that nobody watches does not even hold this
 * code.
 */
import type { AnyActor } from 'xstate';
import { decodeMessage, M_REQ_SYN, type Message, type MessageContext } from '../../protocol/index.js';
import type {
  Clock,
  Counters,
  Endpoint,
  Packet,
  Watcher,
  WatchedAnswer,
  WatchedSession,
} from '../../runtime/index.js';
import { DiagnosticsViewer, type CacheSizes } from './diagnostics-viewer.js';
import { InspectionViewer } from './inspection-viewer.js';
import type { WatchSpec } from './protocol.js';
import { SessionNotes } from './session-notes.js';
import type { Viewer } from './viewer.js';
import { ViewerLine } from './viewer-line.js';

export interface HostWatchOptions {
  readonly thread: string;
  readonly clock: Clock;
  /** Whose owners tell this watcher, as long as it has viewers. */
  readonly counters: Counters;
  /** All actors there are now. */
  readonly actors: () => Iterable<AnyActor>;
  readonly caches?: (() => CacheSizes) | undefined;
}

export class HostWatch implements Watcher {
  readonly #options: HostWatchOptions;
  readonly #viewers = new Map<number, Viewer>();
  readonly #notes: SessionNotes;

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.#notes = new SessionNotes(() => options.clock.now());
  }

  /**
   * Begins to show what `spec` asks for over this endpoint: first what is there already.
   *
   * @param prefix what stands before the `/` in ids of actors.
   */
  attach(watch: number, spec: WatchSpec, prefix: string, endpoint: Endpoint): void {
    this.detach(watch);
    const { thread, clock, counters, actors, caches } = this.#options;
    const onGone = (): void => this.detach(watch);
    let viewer: Viewer;
    if (spec.kind === 'inspection') {
      const line = new ViewerLine({
        endpoint,
        clock,
        hold: spec.hold,
        onRoom: () => inspection.resume(),
        onGone,
      });
      const inspection = new InspectionViewer({ spec, thread, prefix, clock, line });
      viewer = inspection;
    } else {
      const line = new ViewerLine({
        endpoint,
        clock,
        hold: spec.hold,
        onFlush: () => diagnostics.flush(),
        onGone,
      });
      const { events } = spec;
      const diagnostics = new DiagnosticsViewer({ events, thread, clock, line, caches });
      viewer = diagnostics;
    }
    this.#viewers.set(watch, viewer);
    counters.watcher = this;
    if (viewer.actorMade) for (const actor of actors()) viewer.actorMade(actor, true);
  }

  detach(watch: number): void {
    const viewer = this.#viewers.get(watch);
    if (!viewer) return;
    this.#viewers.delete(watch);
    if (this.#viewers.size === 0) {
      this.#options.counters.watcher = undefined;
      this.#notes.clear();
    }
    viewer.close();
  }

  close(): void {
    for (const watch of [...this.#viewers.keys()]) this.detach(watch);
  }

  // Watcher

  actorMade(actor: AnyActor): void {
    for (const viewer of this.#viewers.values()) viewer.actorMade?.(actor, false);
  }

  actorFailed(actor: object): void {
    for (const viewer of this.#viewers.values()) viewer.actorFailed?.(actor);
  }

  sessionBegun(session: WatchedSession): void {
    this.#notes.begun(session);
    for (const viewer of this.#viewers.values()) viewer.sessionBegun?.(session);
  }

  sessionSent(session: WatchedSession, message: Message, bytes: Uint8Array): void {
    this.#notes.sent(session, message);
    for (const viewer of this.#viewers.values()) viewer.sessionMessage?.(session, 'sent', message, bytes);
  }

  sessionReceived(session: WatchedSession, message: Message, bytes: Uint8Array): void {
    // A responder's synchronization takes no place: it is answered in the turn in which it is asked for.
    if (message.type === M_REQ_SYN && !this.#notes.hasBegun(session)) this.sessionBegun(session);
    const latencyMs = this.#notes.received(session, message);
    for (const viewer of this.#viewers.values()) {
      viewer.sessionMessage?.(session, 'received', message, bytes);
      if (latencyMs !== undefined) viewer.sessionStep?.(session, message, latencyMs);
    }
  }

  sessionTold(session: WatchedSession, answer: WatchedAnswer): void {
    this.#notes.told(session, answer);
  }

  sessionEnded(session: WatchedSession): void {
    const end = this.#notes.ended(session);
    if (!end) return;
    for (const viewer of this.#viewers.values()) viewer.sessionEnded?.(session, end);
  }

  passed(packet: Packet): void {
    const message = packet.message ?? decoded(packet.bytes);
    if (!message) return;
    for (const viewer of this.#viewers.values()) viewer.passed?.({ ...packet, message });
  }

  counted(name: string, n: number): void {
    for (const viewer of this.#viewers.values()) viewer.counted?.(name, n);
  }
}

/** Discoveries and floods; and what answers a discovery. */
const CONTEXTS: readonly MessageContext[] = ['multicast', 'rapid'];

/** What this engine has made or passed on is a message; where it stands decides which context has it. */
function decoded(bytes: Uint8Array): Message | undefined {
  for (const context of CONTEXTS) {
    const result = decodeMessage(bytes, context);
    if (result.ok) return result.message;
  }
  return undefined;
}
