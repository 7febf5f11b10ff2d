import type { Attachment, SimulatedNode } from './node.js';
import { ipv4On, type Ipv4Address } from './ipv4.js';
import type { Prng } from './prng.js';

/** What a link does to what crosses it. Rates are probabilities 0 … 1 per datagram and receiving interface. */
export interface LinkSettings {
  /** Datagrams lost. Streams are reliable: for them a lossy link is only a slow one. Default 0. */
  lossRate: number;
  /** One-way delay, ms; datagrams and streams. Default 0: the next turn. */
  delayMs: number;
  /** Up to so much more, ms, drawn for each datagram and each stream write. Streams stay in order. Default 0. */
  jitterMs: number;
  /** Datagrams delivered twice. Default 0. */
  duplicateRate: number;
  /** Datagrams held back so that later ones overtake them. Default 0. */
  reorderRate: number;
  /** How long those are held back, ms. Default 5. */
  reorderDelayMs: number;
  /** Largest packet: datagrams of more than this − 48 (IPv6) or − 28 (IPv4) are refused with `too-big`. Default 1500. */
  mtu: number;
  /** Stream writes are delivered in pieces of at most so many bytes; 1 cuts everywhere. Default: never cut. */
  segmentBytes: number;
}

/** What has crossed a link since it was made. */
export interface LinkCounters {
  /** Datagrams sent, each once, however many nodes hear it. */
  datagrams: number;
  datagramBytes: number;
  /** Copies not delivered because of `lossRate`. */
  lost: number;
  /** Copies delivered beyond the first because of `duplicateRate`. */
  duplicated: number;
  /** Copies dropped because a receiving thread was behind (its buffer was full). */
  overflowed: number;
  /** Stream writes, each message being one. */
  streamMessages: number;
  streamBytes: number;
  /** Streams opened. */
  streams: number;
}

const DEFAULTS: LinkSettings = {
  lossRate: 0,
  delayMs: 0,
  jitterMs: 0,
  duplicateRate: 0,
  reorderRate: 0,
  reorderDelayMs: 5,
  mtu: 1500,
  segmentBytes: Infinity,
};

/** One simulated link. `settings` may be changed at any time; what is under way keeps the old ones. */
export class SimulatedLink {
  readonly settings: LinkSettings = { ...DEFAULTS };
  readonly counters: LinkCounters = {
    datagrams: 0,
    datagramBytes: 0,
    lost: 0,
    duplicated: 0,
    overflowed: 0,
    streamMessages: 0,
    streamBytes: 0,
    streams: 0,
  };
  /** Who is on the link, in the order of coming. @internal */
  readonly members = new Map<Attachment, SimulatedNode>();
  readonly #prng: Prng;
  #ipv4Hosts = 0;

  constructor(
    readonly name: string,
    /** 1, 2, …; part of the addresses on this link. */
    readonly number: number,
    prng: Prng,
  ) {
    this.#prng = prng;
  }

  /** An IPv4 address of this link's own subnet, never given before. @internal */
  nextIpv4(): Ipv4Address {
    return ipv4On(this.number, ++this.#ipv4Hosts);
  }

  /** Changes some settings; throws a RangeError for a rate outside 0 … 1 or a negative time or size. */
  set(settings: Partial<LinkSettings>): this {
    for (const [key, value] of Object.entries(settings)) {
      if (!(key in DEFAULTS)) throw new RangeError(`link has no setting '${key}'`);
      if (typeof value !== 'number' || !(value >= 0)) throw new RangeError(`${key} must be a number ≥ 0`);
      if (key.endsWith('Rate') && value > 1) throw new RangeError(`${key} must be 0 … 1`);
      if (key === 'segmentBytes' && value < 1) throw new RangeError('segmentBytes must be ≥ 1');
    }
    Object.assign(this.settings, settings);
    return this;
  }

  /** The fate of one copy of a datagram on its way to one interface: the delays, ms, of what arrives. */
  datagramDelays(): number[] {
    const { lossRate, duplicateRate, reorderRate, reorderDelayMs } = this.settings;
    if (this.#prng.chance(lossRate)) {
      this.counters.lost++;
      return [];
    }
    const delays = [this.delay() + (this.#prng.chance(reorderRate) ? reorderDelayMs : 0)];
    if (this.#prng.chance(duplicateRate)) {
      this.counters.duplicated++;
      delays.push(this.delay());
    }
    return delays;
  }

  /** One-way delay now, ms. */
  delay(): number {
    const { delayMs, jitterMs } = this.settings;
    return jitterMs > 0 ? delayMs + this.#prng.next() * jitterMs : delayMs;
  }
}
