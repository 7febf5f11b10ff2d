/** What the sender of storms (multicast-storm.ts) sends, and how it is asked to. */
import type { Side } from '../lab.js';
import { script, type Program } from './program.js';

/** Session ids and values from here up take five bytes, so that they can be written in place. */
export const FIRST = 0x1000_0000;
export const nameOf = (index: number): string => `bench:flood:${index}`;
/** What the n-th flood holds; it is about the name n modulo the number of names. */
export const valueOf = (n: number): number => FIRST + n;

/** What each name was told last in a storm of `count`. */
export const lastValues = (names: number, count: number): number[] =>
  Array.from({ length: names }, (_, index) =>
    valueOf(index + names * Math.floor((count - 1 - index) / names)),
  );

/** Where engines hear multicasts, and where the floor does: each is deaf to the other's. */
export const GRASP_GROUP = ['ff02::13', '7017'] as const;
export const FLOOR_GROUP = ['ff02::7f17', '17017'] as const;

export interface Storm {
  readonly sent: number;
  readonly failed: number;
  readonly seconds: number;
}

/** A sender on the last of a side's interfaces. */
export async function startSender(
  side: Side,
  group: readonly [string, string],
  kind: 'flood' | 'discovery',
  names: number,
): Promise<(rate: number, seconds: number) => Promise<Storm>> {
  const args = [side.interfaces.at(-1) ?? '', ...group, kind, `${names}`];
  const program: Program = side.start('sender', [script('multicast-storm.js'), ...args]);
  await program.next();
  return (rate, seconds) => program.ask<Storm>('storm', { rate, count: rate * seconds });
}

export interface Counted {
  readonly received: number;
  readonly times?: readonly (readonly [number, string])[];
}

/** A raw counter on one interface of a side; each call tells what has come since the last one. */
export async function startCounter(
  side: Side,
  interfaceName: string,
  group: readonly [string, string],
  kind?: number,
): Promise<() => Promise<Counted>> {
  const args = ['count', interfaceName, ...group, ...(kind === undefined ? [] : [`${kind}`])];
  const program = side.start('counter', [script('floors/datagrams.js'), ...args]);
  await program.next();
  return () => program.ask<Counted>('count');
}
