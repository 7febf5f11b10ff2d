import type { AnyActor } from 'xstate';
import type { HostWatch, HostWatchOptions } from '../actors/watch/host-watch.js';
import { loading, type Counters } from '../runtime/index.js';
import type { HostControl, World } from './host.js';

/** The part of a host that is watched. The code that watches is loaded when it is first asked for. */
export class HostWatching {
  readonly #thread: string;
  readonly #counters: Counters;
  readonly #world: World;
  readonly #actors: () => Iterable<AnyActor>;
  readonly #more: Pick<HostWatchOptions, 'sessions' | 'caches'>;
  #watch: Promise<HostWatch> | undefined;
  #closed = false;

  constructor(
    thread: string,
    counters: Counters,
    world: World,
    actors: () => Iterable<AnyActor>,
    more: Pick<HostWatchOptions, 'sessions' | 'caches'> = {},
  ) {
    this.#thread = thread;
    this.#counters = counters;
    this.#world = world;
    this.#actors = actors;
    this.#more = more;
  }

  readonly control: Pick<HostControl, 'watch' | 'unwatch'> = {
    watch: async (watch, spec, prefix, port) => {
      this.#watch ??= this.#load();
      const host = await this.#watch;
      if (!this.#closed) host.attach(watch, spec, prefix, this.#world.toEndpoint(port));
    },
    // In the order of the calls, though the first may still be loading.
    unwatch: async (watch) => (await this.#watch)?.detach(watch),
  };

  close(): void {
    this.#closed = true;
    void this.#watch?.then((watch) => watch.close());
  }

  async #load(): Promise<HostWatch> {
    const { clock } = this.#world;
    const { HostWatch } = await loading(clock, import('../actors/watch/host-watch.js'));
    return new HostWatch({
      thread: this.#thread,
      clock,
      counters: this.#counters,
      actors: this.#actors,
      ...this.#more,
    });
  }
}
