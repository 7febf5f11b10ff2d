/** The numbers of RFC 8990 and builders for its messages, as plain arrays; `encode` makes them bytes. */
import { isIPv4, isIPv6 } from 'node:net';
import { randomInt } from 'node:crypto';

export const GRASP_LISTEN_PORT = 7017;
export const ALL_GRASP_NEIGHBORS_6 = 'ff02::13';
export const ALL_GRASP_NEIGHBORS_4 = '224.0.0.119';

export const M_NOOP = 0;
export const M_DISCOVERY = 1;
export const M_RESPONSE = 2;
export const M_REQ_NEG = 3;
export const M_REQ_SYN = 4;
export const M_NEGOTIATE = 5;
export const M_END = 6;
export const M_WAIT = 7;
export const M_SYNCH = 8;
export const M_FLOOD = 9;
export const M_INVALID = 99;
export const O_DIVERT = 100;
export const O_ACCEPT = 101;
export const O_DECLINE = 102;
export const O_IPv6_LOCATOR = 103;
export const O_IPv4_LOCATOR = 104;
export const O_FQDN_LOCATOR = 105;
export const O_URI_LOCATOR = 106;
export const TCP = 6;
export const UDP = 17;

/** Flags: discovery only 1; negotiation 3; synchronization 5; dry-run negotiation 11. */
export const F_DISC = 1;
export const F_NEG = 2;
export const F_SYNCH = 4;
export const F_NEG_DRY = 8;
export const DISC = F_DISC;
export const NEG = F_DISC | F_NEG;
export const SYNCH = F_DISC | F_SYNCH;
export const DRY = NEG | F_NEG_DRY;

/** An objective as it stands on the wire; no value: three elements. */
export type WireObjective = readonly [name: string, flags: number, loopCount: number, ...value: unknown[]];

export function freshSid(): number {
  return randomInt(0, 0x1_0000_0000);
}

/** The bytes of an address in text form (a zone is left away). */
export function addressBytes(text: string): Buffer {
  const address = text.split('%')[0]!;
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address)) throw new TypeError(`${text} is no address`);
  const [left = '', right] = address.split('::');
  const words = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((word) => {
          if (!word.includes('.')) return [parseInt(word, 16)];
          const [a, b, c, d] = word.split('.').map(Number) as [number, number, number, number];
          return [(a << 8) | b, (c << 8) | d];
        });
  const before = words(left);
  const after = words(right ?? '');
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 255]));
}

/** Text of 4 or 16 address bytes; not abbreviated, only for reports and connecting. */
export function addressText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes);
  if (buffer.length === 4) return [...buffer].join('.');
  if (buffer.length !== 16) throw new TypeError(`an address of ${buffer.length} bytes`);
  return Array.from({ length: 8 }, (_, i) => buffer.readUInt16BE(2 * i).toString(16)).join(':');
}

export function isLinkLocal(bytes: Uint8Array): boolean {
  return bytes.length === 16 && bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

export function sameAddress(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const bytes = (x: string | Uint8Array): Buffer =>
    typeof x === 'string' ? addressBytes(x) : Buffer.from(x);
  return bytes(a).equals(bytes(b));
}

/** `[103, address, 6, port]`, or 104 for an IPv4 address. */
export function locator(address: string, port: number, protocol = TCP): unknown[] {
  const bytes = addressBytes(address);
  return [bytes.length === 4 ? O_IPv4_LOCATOR : O_IPv6_LOCATOR, bytes, protocol, port];
}

export const message = {
  noop: (): unknown[] => [M_NOOP],
  discovery: (sid: number, initiator: Uint8Array, objective: unknown): unknown[] => [
    M_DISCOVERY,
    sid,
    initiator,
    objective,
  ],
  /** `content`: locators, or a divert, then maybe an objective. */
  response: (sid: number, initiator: Uint8Array, ttl: number, ...content: unknown[]): unknown[] => [
    M_RESPONSE,
    sid,
    initiator,
    ttl,
    ...content,
  ],
  requestNegotiate: (sid: number, objective: unknown): unknown[] => [M_REQ_NEG, sid, objective],
  requestSynchronize: (sid: number, objective: unknown): unknown[] => [M_REQ_SYN, sid, objective],
  negotiate: (sid: number, objective: unknown): unknown[] => [M_NEGOTIATE, sid, objective],
  accept: (sid: number): unknown[] => [M_END, sid, [O_ACCEPT]],
  decline: (sid: number, ...reason: string[]): unknown[] => [M_END, sid, [O_DECLINE, ...reason]],
  wait: (sid: number, ms: number): unknown[] => [M_WAIT, sid, ms],
  synch: (sid: number, objective: unknown): unknown[] => [M_SYNCH, sid, objective],
  /** `pairs`: `[objective, locator]` or `[objective, []]`. */
  flood: (sid: number, initiator: Uint8Array, ttl: number, ...pairs: unknown[]): unknown[] => [
    M_FLOOD,
    sid,
    initiator,
    ttl,
    ...pairs,
  ],
  invalid: (sid: number, ...content: unknown[]): unknown[] => [M_INVALID, sid, ...content],
  divert: (...locators: unknown[]): unknown[] => [O_DIVERT, ...locators],
};
