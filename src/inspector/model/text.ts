/** How the page says times, sizes and names. Pure; runs in the browser and in tests. */
import type { SafeValue } from '../feed.js';

/** `0.4 ms`, `12 ms`, `1.3 s`, `2 min 5 s`, `3 h 12 min`. */
export function duration(ms: number): string {
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return joined(Math.floor(whole / 60), 'min', whole % 60, 's');
  return joined(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
}

function joined(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
}

/** Time of day with milliseconds, as the reader's clock has it. */
export function timeOfDay(at: number): string {
  const date = new Date(at);
  const two = (n: number): string => String(n).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** `negotiationSession` as people write it: `Negotiation session`. */
export function machineTitle(id: string): string {
  const words = id.replace(/([a-z])([A-Z])/g, (_all, a: string, b: string) => `${a} ${b.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A share as a percentage with as many digits as it needs: `100 %`, `12 %`, `0.4 %`. */
export function percentage(share: number): string {
  const percent = share * 100;
  return `${percent >= 10 || percent === 0 ? Math.round(percent) : Number(percent.toPrecision(1))} %`;
}

/** A number short enough for a badge: `999`, `1.2k`, `34k`. */
export function short(n: number): string {
  if (n < 1000) return String(Math.round(n * 10) / 10);
  return n < 10_000 ? `${(n / 1000).toFixed(1)}k` : `${Math.round(n / 1000)}k`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** A session id as it is written in captures. */
export function sessionText(id: number): string {
  return id.toString(16).padStart(8, '0');
}

/** A safe value in one line. */
export function valueText(value: SafeValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The name of a state, as `status()` counts it. */
export function stateName(value: SafeValue): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return 'unknown';
  return Object.entries(value as Readonly<Record<string, SafeValue>>)
    .map(([parent, child]) => `${parent}.${stateName(child)}`)
    .join(',');
}
