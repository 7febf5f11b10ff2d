/**
 * The watcher of one host, there only while somebody watches: it hands what the actors tell to the viewers, one per
 * reader, and offers them each session once. Loaded when it is first asked for (`workers/host.ts`): an engine that nobody
 * watches does not even hold this code.
 */
import type { AnyActor, EventObject } from 'xstate';
import type { Clock, Counters, Endpoint, Packet, Watcher, WatchedSession } from '../../runtime/index.js';
import { DiagnosticsViewer, type CacheSizes } from './diagnostics-viewer.js';
import { InspectionViewer } from './inspection-viewer.js';
import { PassedPacket } from './passed-packet.js';
import type { WatchSpec } from './protocol.js';
import { SessionWatch } from './session-watch.js';
import type { Viewer } from './viewer.js';
import { ViewerLine } from './viewer-line.js';

export interface HostWatchOptions {
  readonly thread: string;
  readonly clock: Clock;
  /** Whose owners tell this watcher, as long as it has viewers. */
  readonly counters: Counters;
  /** All actors there are now, but those of sessions. */
  readonly actors: () => Iterable<AnyActor>;
  /** All sessions there are now. */
  readonly sessions?: (() => Iterable<WatchedSession>) | undefined;
  readonly caches?: (() => CacheSizes) | undefined;
}

export class HostWatch implements Watcher {
  readonly #options: HostWatchOptions;
  readonly #viewers = new Map<number, Viewer>();
  /** The same: gone through at everything that is told. */
  #all: readonly Viewer[] = [];

  constructor(options: HostWatchOptions) {
    this.#options = options;
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
    this.#all = [...this.#viewers.values()];
    counters.watcher = this;
    if (viewer.actorMade) for (const actor of actors()) viewer.actorMade(actor, true);
    for (const session of this.#sessions) this.#offer(session, viewer, true);
  }

  detach(watch: number): void {
    const viewer = this.#viewers.get(watch);
    if (!viewer) return;
    this.#viewers.delete(watch);
    this.#all = [...this.#viewers.values()];
    if (this.#all.length === 0) this.#options.counters.watcher = undefined;
    for (const session of this.#sessions) SessionWatch.of(session)?.leave(viewer);
    viewer.close();
  }

  get #sessions(): Iterable<WatchedSession> {
    return this.#options.sessions?.() ?? [];
  }

  close(): void {
    for (const watch of [...this.#viewers.keys()]) this.detach(watch);
  }

  // Watcher

  actorMade(actor: AnyActor): void {
    for (const viewer of this.#all) viewer.actorMade?.(actor, false);
  }

  sessionMade(session: WatchedSession): void {
    for (const viewer of this.#all) this.#offer(session, viewer, false);
  }

  eventComes(actor: object, event: EventObject): void {
    for (const viewer of this.#all) viewer.eventComes?.(actor, event);
  }

  passed(packet: Packet): void {
    const passed = new PassedPacket(packet);
    for (const viewer of this.#all) viewer.passed?.(passed);
  }

  counted(name: string, n: number): void {
    for (const viewer of this.#all) viewer.counted?.(name, n);
  }

  /** A viewer may choose it. One that nobody chooses gets no watcher: nothing it does is told. */
  #offer(session: WatchedSession, viewer: Viewer, existing: boolean): void {
    const part = viewer.sessionMade?.(session, existing);
    if (!part) return;
    const watch = SessionWatch.of(session);
    if (watch) watch.join(part);
    else session.watcher = new SessionWatch(session, [part], () => this.#options.clock.now());
  }
}
