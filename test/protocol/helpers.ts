/** Shared by the protocol tests: hex, the vectors with types, and their JSON conventions. */
import { readFileSync } from 'node:fs';
import type { MessageContext } from '../../src/protocol/index.js';

export function hex(text: string): Uint8Array {
  const clean = text.replace(/\s/g, '');
  return Uint8Array.from({ length: clean.length / 2 }, (_, i) => parseInt(clean.slice(2 * i, 2 * i + 2), 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

export interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly context: 'udp-multicast' | 'tcp-session' | 'tcp-response' | 'any';
  readonly valid: boolean;
  readonly wellFormed: boolean;
  readonly cddl: boolean;
  readonly expect: 'process' | 'ignore' | 'discard' | 'discard-or-invalid' | 'close';
  readonly alternative?: string;
  readonly decoded?: unknown;
  readonly encode?: 'exact' | 'any';
}

export interface StreamVector {
  readonly name: string;
  readonly chunks: readonly string[];
  readonly messages: readonly unknown[];
}

const file = new URL('../../../test/vectors/vectors.json', import.meta.url);
const parsed = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[]; streams: StreamVector[] };
export const vectors: readonly Vector[] = parsed.vectors;
export const streams: readonly StreamVector[] = parsed.streams;

export function contextsOf(vector: Vector): MessageContext[] {
  switch (vector.context) {
    case 'udp-multicast':
      return ['multicast'];
    case 'tcp-session':
      return ['session'];
    case 'tcp-response':
      return ['response', 'rapid'];
    case 'any':
      return ['multicast', 'response', 'rapid', 'session'];
  }
}

export const V6 = '20010db8f000baaa28ccdc4c97036781';
