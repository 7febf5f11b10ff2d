/**
 * `node:diagnostics_channel`: what the engine does, published in the thread that called `Grasp.start`. Channels are
 * `anima-grasp:<event>`, as `anima-grasp:session.ended`; payloads and what is stable of them stand in
 * `docs/OBSERVABILITY.md`.
 *
 * What happens in other threads is told by them only while a channel has a subscriber. Node does not say when somebody
 * subscribes, so it is looked at from time to time: nine reads, ten times a second.
 */
import { channel, type Channel } from 'node:diagnostics_channel';
import type { Clock, TimerId } from '../runtime/index.js';
import {
  DIAGNOSTIC_NAMES,
  HOST_EVENTS,
  type DiagnosticEvent,
  type DiagnosticName,
  type FromWatch,
} from '../workers/engine-control.js';
import type { Supervisor } from '../workers/supervisor.js';
import type { Watch } from '../workers/watches.js';

export type {
  Caches,
  Counted,
  DiagnosticEvent,
  DiagnosticName,
  EnvironmentChange,
  Multicast,
  SessionBegun,
  SessionEnded,
  SessionStep,
  WorkerChange,
} from '../workers/engine-control.js';

/** Channels are `anima-grasp:` and the name of the event. */
export const CHANNEL_PREFIX = 'anima-grasp:';

/** ms between two looks at whether somebody has subscribed. */
const LOOK_MS = 100;
/** Events that may wait in a thread, and as many on their way. */
const HOLD = 10_000;

const channels = new Map<DiagnosticName, Channel>(
  DIAGNOSTIC_NAMES.map((name) => [name, channel(`${CHANNEL_PREFIX}${name}`)]),
);

/** What subscribers get: an event, and the engine it is of. */
export type Published = DiagnosticEvent & {
  /** The engine: several may run in one process. */
  readonly grasp: object;
};

export interface PublisherOptions {
  readonly supervisor: Supervisor;
  readonly grasp: object;
  readonly clock: Clock;
  /** False under virtual time, where a timer that never ends would keep it from standing still. */
  readonly looks: boolean;
}

/** Publishes what one engine does. */
export class Publisher {
  readonly #options: PublisherOptions;
  #timer: TimerId | undefined;
  #wanted: readonly DiagnosticName[] = [];
  #watch: Watch | undefined;
  #closed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#look();
  }

  /** Resolves when every thread tells what is subscribed to now. */
  get attached(): Promise<void> {
    return this.#watch?.attached ?? Promise.resolve();
  }

  /** Takes up no new subscriptions; what is watched is told until the engine has ended. */
  stop(): void {
    this.#closed = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #look(): void {
    const { clock, looks } = this.#options;
    const wanted = HOST_EVENTS.filter((name) => channels.get(name)!.hasSubscribers);
    if (wanted.join() !== this.#wanted.join()) this.#want(wanted);
    if (!looks || this.#closed) return;
    this.#timer = clock.setTimeout(() => this.#look(), LOOK_MS);
    // An engine keeps its process alive by its threads and sockets, not by this.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #want(events: readonly DiagnosticName[]): void {
    this.#wanted = events;
    this.#watch?.close();
    this.#watch =
      events.length === 0
        ? undefined
        : this.#options.supervisor.watch(
            { kind: 'diagnostics', events, hold: HOLD },
            (report, taken) => this.#take(report, taken),
            () => undefined,
          );
  }

  #take({ items, slow }: FromWatch, taken: (items: number) => void): void {
    for (const event of items as readonly DiagnosticEvent[]) publish(event, this.#options.grasp);
    taken(items.length);
    if (slow === 0) return;
    // Counted like everything that is dropped, and told where the rest is told.
    const at = this.#options.clock.now();
    const lost = { name: 'count', thread: 'supervisor', at, counter: 'diagnostics.lost', n: slow } as const;
    publish(lost, this.#options.grasp);
  }
}

/** Calls the subscribers; nothing is made for nobody. */
export function publish(event: DiagnosticEvent, grasp: object): void {
  const to = channels.get(event.name);
  if (to?.hasSubscribers) to.publish({ ...event, grasp } satisfies Published);
}
