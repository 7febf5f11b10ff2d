/** Messages and trees in the JSON notation of the vectors. */
import type { Message, WireLocator, WireObjective } from '../../src/protocol/index.js';
import { toHex } from './helpers.js';
import { parseItem, type Node } from './reference.js';

export function jsonOfNode(node: Node): unknown {
  switch (node.t) {
    case 'uint':
    case 'nint':
      return integer(node.v);
    case 'bytes':
      return { $bytes: toHex(node.v) };
    case 'text':
      return node.v;
    case 'array':
      return node.v.map(jsonOfNode);
    case 'map':
      return jsonOfMap(node.v.map(([k, v]) => [jsonOfNode(k), jsonOfNode(v)]));
    case 'tag':
      if ((node.tag === 2n || node.tag === 3n) && node.v.t === 'bytes') {
        const magnitude = BigInt(`0x0${toHex(node.v.v)}`);
        return integer(node.tag === 2n ? magnitude : -1n - magnitude);
      }
      return jsonOfTag(node.tag, jsonOfNode(node.v));
    case 'simple':
      if (node.v === 20) return false;
      if (node.v === 21) return true;
      if (node.v === 22) return null;
      return node.v === 23 ? { $undefined: true } : { $simple: node.v };
    case 'float':
      return float(node.v);
  }
}

export function jsonOfTag(tag: bigint, value: unknown): unknown {
  return { $tag: Number(tag), $value: value };
}

export function integer(v: bigint): unknown {
  return v >= -9007199254740991n && v <= 9007199254740991n ? Number(v) : { $bigint: String(v) };
}

export function float(v: number): unknown {
  if (!Number.isFinite(v)) return { $float: String(v) };
  if (!Number.isInteger(v)) return v;
  return { $float: Object.is(v, -0) ? '-0.0' : `${v}.0` };
}

export function jsonOfMap(entries: readonly (readonly [unknown, unknown])[]): unknown {
  const keys = new Set(entries.map(([k]) => k));
  if (entries.every(([k]) => typeof k === 'string' && !k.startsWith('$')) && keys.size === entries.length) {
    return Object.fromEntries(entries);
  }
  return { $map: entries };
}

function encoded(bytes: Uint8Array): unknown {
  return jsonOfNode(parseItem(bytes));
}

function objective(o: WireObjective): unknown[] {
  return [o.name, o.flags, o.loopCount, ...(o.value ? [encoded(o.value)] : [])];
}

function locator(l: WireLocator): unknown[] {
  const body = 'address' in l ? { $bytes: toHex(l.address) } : 'name' in l ? l.name : l.uri;
  return [l.type, body, l.protocol, l.port];
}

/** The array that RFC 8990 §4 makes of a message. */
export function jsonOfMessage(m: Message): unknown[] {
  switch (m.type) {
    case 0:
      return [0];
    case 1:
      return [1, m.sessionId, { $bytes: toHex(m.initiator) }, objective(m.objective)];
    case 2:
      return [
        2,
        m.sessionId,
        { $bytes: toHex(m.initiator) },
        m.ttl,
        ...m.locators.map(locator),
        ...(m.divert ? [[100, ...m.divert.map(locator)]] : []),
        ...(m.objective ? [objective(m.objective)] : []),
      ];
    case 3:
    case 4:
    case 5:
    case 8:
      return [m.type, m.sessionId, objective(m.objective)];
    case 6:
      return [6, m.sessionId, m.accept ? [101] : m.reason === undefined ? [102] : [102, m.reason]];
    case 7:
      return [7, m.sessionId, m.waitingTime];
    case 9:
      return [
        9,
        m.sessionId,
        { $bytes: toHex(m.initiator) },
        m.ttl,
        ...m.objectives.map((e) => [objective(e.objective), e.locator ? locator(e.locator) : []]),
      ];
    case 99:
      return [99, m.sessionId, ...(m.info ? [encoded(m.info)] : [])];
  }
}
