/** What the readers of both file formats have in common. */
import type { BrokenReason } from './reasons.js';

/** One packet as the capture has it. */
export interface RawPacket {
  /** From 1, in the order of the file. */
  readonly number: number;
  /** Where its record begins in the file. */
  readonly offset: number;
  /** ns since the epoch; undefined where the format keeps no time (pcapng simple packet blocks). */
  readonly time: bigint | undefined;
  /** LINKTYPE_ number of the first bytes. */
  readonly linkType: number;
  /** The interface's name, if the capture tells it. */
  readonly interface: string | undefined;
  /** What was captured. */
  readonly bytes: Uint8Array;
  /** Bytes the packet had on the wire. */
  readonly length: number;
}

/** Why and where a capture cannot be read on. */
export interface BrokenCapture {
  readonly reason: BrokenReason;
  /** Of the header, record or block that is broken. */
  readonly offset: number;
}

/** Bytes at hand, the first of which is the beginning of a record. */
export interface Window {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where they are in the file. */
  readonly offset: number;
}

/** What one step of a format found. Lengths are those to go on by. */
export type Step =
  | { readonly kind: 'packet'; readonly length: number; readonly packet: Omit<RawPacket, 'number'> }
  | { readonly kind: 'skip'; readonly length: number }
  /** The record is longer than the bytes at hand. */
  | { readonly kind: 'more' }
  | { readonly kind: 'broken'; readonly reason: BrokenReason };

/** Reads records of one file format. */
export interface Format {
  read(window: Window): Step;
}

export const MORE: Step = { kind: 'more' };

export function broken(reason: BrokenReason): Step {
  return { kind: 'broken', reason };
}

/** Longest record or block that is believed: beyond it a length is taken for damage. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;
