/** The test vectors, messages in hex, for rows that go through many messages. */
import { readFileSync } from 'node:fs';
import { decode } from './cbor.js';

export interface Vector {
  readonly name: string;
  readonly group: string;
  readonly hex: string;
  readonly context: 'udp-multicast' | 'tcp-session' | 'tcp-response' | 'any';
  readonly valid: boolean;
  readonly expect: 'process' | 'ignore' | 'discard' | 'discard-or-invalid' | 'close';
  /** Another acceptable behaviour. */
  readonly alternative?: string;
}

const FILE = new URL('../../../test/vectors/vectors.json', import.meta.url);

const { vectors } = JSON.parse(readFileSync(FILE, 'utf8')) as { vectors: readonly Vector[] };

/** Those that leave an engine no choice. */
export function vectorsOf(matches: (vector: Vector) => boolean): readonly Vector[] {
  const found = vectors.filter((each) => (each.alternative ?? '') === '' && matches(each));
  if (found.length === 0) throw new Error('no such vectors');
  return found;
}

/** The message of a well-formed vector. */
export function messageOf({ hex }: Vector): unknown[] {
  return decode(Buffer.from(hex, 'hex')) as unknown[];
}
