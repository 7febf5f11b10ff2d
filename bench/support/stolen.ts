/**
 * What a virtual machine's host gave to others: processor time that was wanted here and not to be had. It explains a floor
 * that is low on a machine with nothing else to do.
 */
import { readFileSync } from 'node:fs';
import { round } from './statistics.js';

/** Ticks since the machine started. */
export interface Ticks {
  readonly wanted: number;
  readonly stolen: number;
}

/** From `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. Undefined where there is no such line. */
export function ticksOf(stat: string): Ticks | undefined {
  const line = /^cpu +(.*)$/m.exec(stat);
  if (!line) return undefined;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = line[1]!
    .split(' ')
    .map(Number);
  return { wanted: user + nice + system + irq + softirq + stolen, stolen };
}

/** Undefined where the system does not tell. */
export function ticks(): Ticks | undefined {
  try {
    return ticksOf(readFileSync('/proc/stat', 'utf8'));
  } catch {
    return undefined;
  }
}

/** Share of what was wanted between the two, from 0 to 1. */
export function stolenShare(before: Ticks | undefined, after: Ticks | undefined): number | undefined {
  if (!before || !after) return undefined;
  const wanted = after.wanted - before.wanted;
  return wanted > 0 ? round((after.stolen - before.stolen) / wanted, 3) : 0;
}
