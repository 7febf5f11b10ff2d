/**
 * A second implementation for the tests, made to be obviously right and not fast: bytes → tree by recursion, then
 * RFC 8990 §4 read off the tree. It shares no code and no method with src/protocol, and its first half is itself
 * checked against an unrelated CBOR library (oracle.test.ts).
 */
import type { MessageContext } from '../../src/protocol/index.js';

export type Node = { readonly start: number; readonly end: number } & (
  | { readonly t: 'uint'; readonly v: bigint }
  | { readonly t: 'nint'; readonly v: bigint }
  | { readonly t: 'bytes'; readonly v: Uint8Array; readonly chunked?: true }
  | { readonly t: 'text'; readonly v: string; readonly chunked?: true }
  | { readonly t: 'array'; readonly v: readonly Node[] }
  | { readonly t: 'map'; readonly v: readonly (readonly [Node, Node])[] }
  | { readonly t: 'tag'; readonly tag: bigint; readonly v: Node }
  | { readonly t: 'simple'; readonly v: number }
  | { readonly t: 'float'; readonly v: number }
);

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The tree of exactly one item; throws what is wrong. */
export function parseItem(bytes: Uint8Array, maxDepth = 64): Node {
  const node = parseAt(bytes, 0, maxDepth);
  if (node.end !== bytes.length) throw new Error('trailing bytes');
  return node;
}

/** RFC 8949 §3.2.2 does not allow it, but not every library minds. */
export const BREAK_AS_VALUE = 'break in place of the value of a map';

function parseAt(bytes: Uint8Array, start: number, depthLeft: number): Node {
  const head = bytes[start];
  if (head === undefined) throw new Error('truncated');
  const major = head >> 5;
  const info = head & 31;
  let at = start + 1;
  let argument = BigInt(info);
  if (info >= 28 && info <= 30) throw new Error('reserved');
  if (info === 31 && (major === 0 || major === 1 || major === 6)) throw new Error('reserved');
  if (info === 31 && major === 7) throw new Error('break');
  if (info >= 24 && info < 31) {
    const size = 2 ** (info - 24);
    if (at + size > bytes.length) throw new Error('truncated');
    argument = BigInt(
      '0x' + Array.from(bytes.slice(at, at + size), (b) => b.toString(16).padStart(2, '0')).join(''),
    );
    at += size;
  }
  const isContainer = major >= 4 && major <= 6;
  if ((isContainer || (info === 31 && major < 4)) && depthLeft === 0) throw new Error('depth');
  const inner = depthLeft - 1;

  if (info === 31) {
    const items: Node[] = [];
    while (bytes[at] !== 0xff) {
      const item = parseAt(bytes, at, inner);
      if (major === 2 || major === 3) {
        if ((bytes[at]! & 31) === 31 || item.t !== (major === 2 ? 'bytes' : 'text')) throw new Error('chunk');
      }
      items.push(item);
      at = item.end;
    }
    const end = at + 1;
    if (major === 2) {
      const v = Uint8Array.from(items.flatMap((i) => Array.from(i.v as Uint8Array)));
      return { t: 'bytes', v, start, end, chunked: true };
    }
    if (major === 3)
      return { t: 'text', v: items.map((i) => i.v as string).join(''), start, end, chunked: true };
    if (major === 4) return { t: 'array', v: items, start, end };
    if (items.length % 2) throw new Error(BREAK_AS_VALUE);
    return { t: 'map', v: pairs(items), start, end };
  }

  switch (major) {
    case 0:
      return { t: 'uint', v: argument, start, end: at };
    case 1:
      return { t: 'nint', v: -1n - argument, start, end: at };
    case 2:
    case 3: {
      if (argument > BigInt(bytes.length - at)) throw new Error('truncated');
      const end = at + Number(argument);
      const content = bytes.slice(at, end);
      return major === 2
        ? { t: 'bytes', v: content, start, end }
        : { t: 'text', v: strictUtf8.decode(content), start, end };
    }
    case 4:
    case 5: {
      const count = argument * (major === 5 ? 2n : 1n);
      if (count > BigInt(bytes.length - at)) throw new Error('truncated');
      const items: Node[] = [];
      for (let i = 0n; i < count; i++) {
        if (major === 5 && i % 2n === 1n && bytes[at] === 0xff) throw new Error(BREAK_AS_VALUE);
        const item = parseAt(bytes, at, inner);
        items.push(item);
        at = item.end;
      }
      return major === 4
        ? { t: 'array', v: items, start, end: at }
        : { t: 'map', v: pairs(items), start, end: at };
    }
    case 6: {
      const item = parseAt(bytes, at, inner);
      return { t: 'tag', tag: argument, v: item, start, end: item.end };
    }
    default: {
      if (info < 24) return { t: 'simple', v: info, start, end: at };
      if (info === 24) {
        if (argument < 32n) throw new Error('simple');
        return { t: 'simple', v: Number(argument), start, end: at };
      }
      return { t: 'float', v: toFloat(bytes.slice(start + 1, at)), start, end: at };
    }
  }
}

function pairs(items: readonly Node[]): [Node, Node][] {
  return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i]!, items[2 * i + 1]!]);
}

function toFloat(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (bytes.length === 8) return view.getFloat64(0);
  if (bytes.length === 4) return view.getFloat32(0);
  const bits = view.getUint16(0);
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/* Second half: the message. */

class Refusal extends Error {}
function need(condition: boolean): asserts condition {
  if (!condition) throw new Refusal();
}

const PLACES: Record<number, readonly MessageContext[]> = {
  0: ['multicast', 'response', 'rapid', 'session'],
  1: ['multicast'],
  2: ['response', 'rapid'],
  3: ['session'],
  4: ['session'],
  5: ['session', 'rapid'],
  6: ['session', 'rapid'],
  7: ['session', 'rapid'],
  8: ['session', 'rapid'],
  9: ['multicast'],
  99: ['session', 'rapid', 'response'],
};

/** A message as plain data, or undefined if the bytes are to be refused in that context. */
export function referenceDecode(
  bytes: Uint8Array,
  context: MessageContext,
): Record<string, unknown> | undefined {
  let node: Node;
  try {
    if (bytes.length > 2048) return undefined;
    node = parseItem(bytes);
  } catch {
    return undefined;
  }
  try {
    return message(bytes, node, context);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function uint(node: Node | undefined, max: number): number {
  need(node?.t === 'uint' && node.v <= BigInt(max));
  return Number(node.v);
}

function isOption(node: Node): boolean {
  return node.t === 'array' && node.v[0]?.t === 'uint';
}

function optionNumber(node: Node): number {
  if (node.t !== 'array' || node.v[0]?.t !== 'uint') return -1;
  return Number(node.v[0].v);
}

function message(bytes: Uint8Array, node: Node, context: MessageContext): Record<string, unknown> {
  need(node.t === 'array' && node.v.length > 0);
  const [first, second, ...rest] = node.v;
  const type = uint(first, 255);
  need(PLACES[type]?.includes(context) === true);
  if (type === 0) return { type };
  const sessionId = uint(second, 0xffffffff);
  const raw = (n: Node): Uint8Array => bytes.slice(n.start, n.end);
  const onlyOptions = (nodes: readonly Node[]): void => need(nodes.every(isOption));

  const objective = (n: Node | undefined, kind: 'any' | 'neg' | 'synch', valueNeeded: boolean) => {
    need(n?.t === 'array' && (n.v.length === 3 || n.v.length === 4));
    const [name, flagsNode, loop, value] = n.v;
    need(name?.t === 'text');
    const flags = uint(flagsNode, Number.MAX_SAFE_INTEGER);
    const loopCount = uint(loop, 255);
    need(!valueNeeded || value !== undefined);
    const bits = Number(BigInt(flags) & 6n);
    need(kind === 'any' || bits === (kind === 'neg' ? 2 : 4));
    return { name: name.v, flags, loopCount, value: value && raw(value) };
  };
  const locator = (n: Node, flood: boolean): Record<string, unknown> => {
    need(n.t === 'array' && n.v.length === 4);
    const [kind, where, protocolNode, portNode] = n.v;
    const type = uint(kind, 255);
    const isNull = (x: Node | undefined): boolean => x?.t === 'simple' && x.v === 22;
    const protocol = type === 106 && isNull(protocolNode) ? null : uint(protocolNode, 255);
    need(flood || protocol === null || protocol === 6 || protocol === 17);
    const port = (type === 106 || flood) && isNull(portNode) ? null : uint(portNode, 65535);
    if (type === 103 || type === 104) {
      need(where?.t === 'bytes' && where.v.length === (type === 103 ? 16 : 4));
      return { type, address: where.v, protocol, port };
    }
    need(where?.t === 'text');
    return type === 105 ? { type, name: where.v, protocol, port } : { type, uri: where.v, protocol, port };
  };
  const isLocator = (n: Node): boolean => optionNumber(n) >= 103 && optionNumber(n) <= 106;
  const initiator = (): Uint8Array => {
    const n = rest[0];
    need(n?.t === 'bytes' && (n.v.length === 4 || n.v.length === 16));
    return n.v;
  };

  switch (type) {
    case 1: {
      const result = { type, sessionId, initiator: initiator(), objective: objective(rest[1], 'any', false) };
      onlyOptions(rest.slice(2));
      return result;
    }
    case 2: {
      const ini = initiator();
      const ttl = uint(rest[1], 0xffffffff);
      const items = rest.slice(2);
      const isObjective = (n: Node): boolean => n.t === 'array' && n.v[0]?.t === 'text';
      need(items.every((n) => isOption(n) || isObjective(n)));
      const known = items.filter((n) => isObjective(n) || isLocator(n) || optionNumber(n) === 100);
      const objectives = known.filter(isObjective);
      const diverts = known.filter((n) => optionNumber(n) === 100);
      const locators = known.filter(isLocator);
      need(objectives.length <= 1 && (objectives.length === 0 || known.at(-1) === objectives[0]));
      need(diverts.length === 0 ? locators.length > 0 : diverts.length === 1 && locators.length === 0);
      let divert: unknown[] | undefined;
      if (diverts[0]) {
        const inner = (diverts[0].v as readonly Node[]).slice(1);
        need(inner.every(isOption));
        divert = inner
          .filter(isLocator)
          .map((n) => locator(n, false))
          .filter((l) => !isLocal(l));
        need(divert.length > 0);
      }
      return {
        type,
        sessionId,
        initiator: ini,
        ttl,
        locators: locators.map((n) => locator(n, false)),
        divert,
        objective: objectives[0] && objective(objectives[0], 'any', false),
      };
    }
    case 3:
    case 5: {
      const result = { type, sessionId, objective: objective(rest[0], 'neg', true) };
      onlyOptions(rest.slice(1));
      return result;
    }
    case 4:
    case 8: {
      const result = { type, sessionId, objective: objective(rest[0], 'synch', type === 8) };
      onlyOptions(rest.slice(1));
      return result;
    }
    case 6: {
      need(rest.every(isOption));
      const known = rest.filter((n) => optionNumber(n) === 101 || optionNumber(n) === 102);
      need(known.length === 1);
      const option = known[0]!.v as readonly Node[];
      const accept = optionNumber(known[0]!) === 101;
      need(option.length <= (accept ? 1 : 2));
      const reason = option[1];
      need(reason === undefined || reason.t === 'text');
      return { type, sessionId, accept, reason: reason?.v };
    }
    case 7: {
      const waitingTime = uint(rest[0], 0xffffffff);
      onlyOptions(rest.slice(1));
      return { type, sessionId, waitingTime };
    }
    case 9: {
      const ini = initiator();
      const ttl = uint(rest[1], 0xffffffff);
      const linkLocal = isLinkLocalAddress(ini);
      const entries = rest
        .slice(2)
        .filter((n) => !isOption(n))
        .map((n) => {
          need(n.t === 'array' && n.v.length === 2);
          const tag = n.v[1]!;
          need(tag.t === 'array' && (tag.v.length === 0 || isLocator(tag)));
          return {
            objective: objective(n.v[0], 'any', false),
            locator: tag.v.length === 0 ? undefined : locator(tag, true),
          };
        });
      need(!linkLocal || entries.every((e) => e.objective.loopCount === 1));
      const objectives = entries.filter((e) => (BigInt(e.objective.flags) & 6n) === 4n);
      need(objectives.length > 0);
      return { type, sessionId, initiator: ini, ttl, objectives };
    }
    default:
      need(rest.length <= 1);
      return { type, sessionId, info: rest[0] && raw(rest[0]) };
  }
}

function isLinkLocalAddress(address: Uint8Array): boolean {
  if (address.length === 4) return address[0] === 169 && address[1] === 254;
  const text = Array.from(address, (b) => b.toString(16).padStart(2, '0')).join('');
  return /^fe[89ab]/.test(text) || text.startsWith('00000000000000000000ffffa9fe');
}

/** Good enough for what the mutations make: addresses and `.local` names. */
function isLocal(l: Record<string, unknown>): boolean {
  if (l.address instanceof Uint8Array) {
    let a = l.address;
    if (a.length === 16 && a.slice(0, 10).every((b) => b === 0) && a[10] === 255 && a[11] === 255)
      a = a.slice(12);
    if (isLinkLocalAddress(a)) return true;
    if (a.length === 4) return a[0] === 127 || a[0] === 0 || a[0]! >= 224;
    return a[0] === 255 || (a.slice(0, 15).every((b) => b === 0) && a[15]! <= 1);
  }
  const host =
    typeof l.name === 'string' ? l.name : /:\/\/(?:[^/?#]*@)?(\[[^\]]*\]?|[^:/?#]*)/.exec(String(l.uri))?.[1];
  if (host === undefined) return false;
  return /(^|\.)(local|localhost)\.?$/i.test(host);
}
