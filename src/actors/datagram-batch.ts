/**
 * How datagrams travel from the listener to the core: many in one piece of memory, in turn from two queues; one that comes
 * alone by itself.
 */
import type { DatagramBatch, DatagramEvent, Datagrams, DatagramSource } from './core-protocol.js';
import type { DatagramQueue } from './datagram-queue.js';

/** Sources looked at to name one again; a storm from more of them costs an entry each time. */
const RECENT_SOURCES = 16;

/**
 * The `count` datagrams that go next, by turns from `first` and `second` while both have some. There must be as
 * many.
 */
export function takeBatch(first: DatagramQueue, second: DatagramQueue, count: number): DatagramBatch {
  const ofFirst = Math.min(first.length, Math.max(Math.ceil(count / 2), count - second.length));
  const bytes = new Uint8Array(first.bytesOf(ofFirst) + second.bytesOf(count - ofFirst));
  const entries = new Uint32Array(2 * count);
  const sources: DatagramSource[] = [];
  let [queue, other] = [first, second];
  let end = 0;
  for (let i = 0; i < count; i++) {
    const from = queue.length > 0 ? queue : other;
    const source = indexOf(sources, from.source);
    end = from.moveTo(bytes, end);
    entries[2 * i] = end;
    entries[2 * i + 1] = source;
    [queue, other] = [other, queue];
  }
  return { bytes, entries, sources };
}

function indexOf(sources: DatagramSource[], source: DatagramSource): number {
  const oldest = Math.max(0, sources.length - RECENT_SOURCES);
  for (let i = sources.length - 1; i >= oldest; i--) if (sources[i] === source) return i;
  return sources.push(source) - 1;
}

type Packed = readonly [bytes: Uint8Array, interfaceName: string, address: string, port: number];

/** How they go to another thread: one alone as a list of its fields (see `session-wire.ts`). */
export const datagramsForm = {
  pack: (datagrams: Datagrams): Packed | DatagramBatch =>
    'entries' in datagrams
      ? datagrams
      : [datagrams.bytes, datagrams.interface, datagrams.address, datagrams.port],
  unpack: (packed: unknown): Datagrams => {
    if (!Array.isArray(packed)) return packed as DatagramBatch;
    const [bytes, name, address, port] = packed as unknown as Packed;
    return { bytes, interface: name, address, port };
  },
};

/** How many there are. */
export function datagramCount(datagrams: Datagrams): number {
  return 'entries' in datagrams ? datagrams.entries.length / 2 : 1;
}

/** Each of them, in memory of its own: what keeps a part of one does not keep a batch. */
export function* datagramsOf(datagrams: Datagrams): Generator<DatagramEvent, void> {
  if (!('entries' in datagrams)) {
    yield datagrams;
    return;
  }
  const { bytes, entries, sources } = datagrams;
  for (let i = 0, begin = 0; i < entries.length; i += 2) {
    const end = entries[i]!;
    const source = sources[entries[i + 1]!]!;
    yield {
      bytes: bytes.slice(begin, end),
      interface: source.interface,
      address: source.address,
      port: source.port,
    };
    begin = end;
  }
}

/** Gives equal sources the same object, for as long as they are among those seen last. */
export class RecentSources {
  readonly #recent: (DatagramSource | undefined)[] = new Array<undefined>(RECENT_SOURCES).fill(undefined);
  #next = 0;

  of(datagram: DatagramSource): DatagramSource {
    for (const known of this.#recent) {
      if (
        known?.address === datagram.address &&
        known.port === datagram.port &&
        known.interface === datagram.interface
      ) {
        return known;
      }
    }
    const { interface: name, address, port } = datagram;
    const source: DatagramSource = { interface: name, address, port };
    this.#recent[this.#next] = source;
    this.#next = (this.#next + 1) % RECENT_SOURCES;
    return source;
  }
}
