/**
 * Whoever watches the engine, as desired state: each watch is attached to every host there is, and to each that comes.
 * A host sends what it sees over a data port of its own, no more than was asked for.
 */
import type { FromWatch, ToWatch, WatchSpec } from '../actors/watch/protocol.js';
import { DataPort } from '../runtime/index.js';
import type { HostControl } from './host.js';
import type { Placement } from './placement.js';

/** What is watched: the part of a supervised host, or of the supervisor itself, that is needed here. */
export interface Watchable {
  readonly name: string;
  watch: HostControl['watch'];
  unwatch: HostControl['unwatch'];
}

/** What came from one thread; `taken` says that so many of the items have been read, and asks for as many more. */
export type OnReport = (report: FromWatch, taken: (items: number) => void) => void;

export interface Watch {
  readonly spec: WatchSpec;
  /** Resolves when every host that was there has begun. */
  readonly attached: Promise<void>;
  /** Idempotent. */
  close(): void;
}

interface Entry {
  readonly watch: number;
  readonly spec: WatchSpec;
  readonly onReport: OnReport;
  readonly onEnd: () => void;
  readonly ports: Map<string, DataPort<ToWatch, FromWatch>>;
}

export class Watches {
  readonly #placement: Placement;
  readonly #hosts: () => readonly Watchable[];
  readonly #entries = new Map<number, Entry>();
  /** How often a thread of this name has been started: its actors begin to count anew. */
  readonly #starts = new Map<string, number>();
  #next = 1;

  constructor(placement: Placement, hosts: () => readonly Watchable[]) {
    this.#placement = placement;
    this.#hosts = hosts;
  }

  /** `onEnd`: the engine ends, nothing more will come. */
  add(spec: WatchSpec, onReport: OnReport, onEnd: () => void): Watch {
    const entry: Entry = { watch: this.#next++, spec, onReport, onEnd, ports: new Map() };
    this.#entries.set(entry.watch, entry);
    const attached = Promise.all(this.#hosts().map((host) => this.#attach(entry, host)));
    return { spec, attached: attached.then(() => undefined), close: () => this.#close(entry) };
  }

  /** A host has started: who watches the engine watches it, too. */
  async connect(host: Watchable): Promise<void> {
    this.#starts.set(host.name, (this.#starts.get(host.name) ?? 0) + 1);
    await Promise.all([...this.#entries.values()].map((entry) => this.#attach(entry, host)));
  }

  /** The engine ends: its hosts are closed, and what they have told last is on its way. */
  async end(): Promise<void> {
    if (this.#entries.size === 0) return;
    const { clock } = this.#placement.world;
    await new Promise<void>((resolve) => clock.defer(resolve));
    for (const entry of [...this.#entries.values()]) {
      this.#close(entry);
      entry.onEnd();
    }
  }

  async #attach(entry: Entry, host: Watchable): Promise<void> {
    const [here, there] = this.#placement.channel();
    const { world } = this.#placement;
    const port: DataPort<ToWatch, FromWatch> = new DataPort(world.toEndpoint(here), world.clock, {
      onEvents: (reports) => {
        for (const report of reports) entry.onReport(report, taken);
      },
      // Of a host that has ended; its successor gets another.
      onClose: () => {
        if (entry.ports.get(host.name) === port) entry.ports.delete(host.name);
      },
    });
    const { hold } = entry.spec;
    let owed = 0;
    // Asked for a quarter at a time: the host is not woken for each batch, and never runs short before all is read.
    const taken = (items: number): void => {
      owed += items;
      if (owed * 4 < hold || port.closed) return;
      port.send({ more: owed });
      owed = 0;
    };
    entry.ports.get(host.name)?.close();
    entry.ports.set(host.name, port);
    port.send({ more: hold });
    const starts = this.#starts.get(host.name) ?? 1;
    const prefix = starts > 1 ? `${host.name}+${starts - 1}` : host.name;
    try {
      await host.watch(entry.watch, entry.spec, prefix, there);
    } catch {
      // It has died, or is just closing: nothing is to be seen there, and its successor is attached when it starts.
      port.close();
    }
  }

  #close(entry: Entry): void {
    if (!this.#entries.delete(entry.watch)) return;
    for (const host of this.#hosts()) {
      // One that is gone watches nothing any more.
      if (entry.ports.has(host.name)) host.unwatch(entry.watch).catch(() => undefined);
    }
    for (const port of entry.ports.values()) port.close();
    entry.ports.clear();
  }
}
