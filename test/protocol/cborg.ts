/** cborg, a CBOR library that has nothing in common with this project's codec, in the JSON notation of the vectors. */
import { decode } from 'cborg';
import { toHex } from './helpers.js';
import { float, integer, jsonOfMap } from './json.js';
import type { Node } from './reference.js';

function nodes(node: Node): Node[] {
  const below =
    node.t === 'array' ? node.v : node.t === 'map' ? node.v.flat() : node.t === 'tag' ? [node.v] : [];
  return [node, ...below.flatMap(nodes)];
}

/** What it cannot read: strings in chunks, unassigned simple values, tags beyond 2^53, duplicate keys, integral floats apart from integers. */
export function cborgCan(root: Node): boolean {
  return nodes(root).every((n) => {
    if (n.t === 'text' || n.t === 'bytes') return !n.chunked;
    if (n.t === 'simple') return n.v >= 20 && n.v <= 23;
    if (n.t === 'tag') return n.tag <= 9007199254740991n;
    if (n.t === 'float') return !Number.isInteger(n.v);
    if (n.t === 'map') return new Set(n.v.map(([k]) => JSON.stringify(jsonKey(k)))).size === n.v.length;
    return true;
  });
}

function jsonKey(node: Node): unknown {
  return node.t === 'uint' || node.t === 'nint' || node.t === 'text'
    ? [node.t, String(node.v)]
    : [node.start];
}

class CborgTag {
  constructor(
    readonly tag: number,
    readonly value: unknown,
  ) {}
}

/** Decodes with cborg; `root` says which tags occur, because each has to be announced. */
export function cborgDecode(bytes: Uint8Array, root: Node): unknown {
  const tags: Record<number, (content: () => unknown) => unknown> = {};
  for (const n of nodes(root)) {
    if (n.t === 'tag') tags[Number(n.tag)] = (content) => new CborgTag(Number(n.tag), content());
  }
  return json(decode(bytes, { useMaps: true, allowUndefined: true, tags }));
}

function json(value: unknown): unknown {
  if (typeof value === 'bigint') return integer(value);
  if (typeof value === 'number') return Number.isInteger(value) ? value : float(value);
  if (value === undefined) return { $undefined: true };
  if (ArrayBuffer.isView(value)) return { $bytes: toHex(value as Uint8Array) };
  if (Array.isArray(value)) return value.map(json);
  if (value instanceof Map) return jsonOfMap([...value].map(([k, v]) => [json(k), json(v)] as const));
  if (value instanceof CborgTag) {
    const content = json(value.value);
    if ((value.tag === 2 || value.tag === 3) && isBytes(content)) {
      const magnitude = BigInt(`0x0${content.$bytes}`);
      return integer(value.tag === 2 ? magnitude : -1n - magnitude);
    }
    return { $tag: value.tag, $value: content };
  }
  return value;
}

function isBytes(value: unknown): value is { $bytes: string } {
  return typeof value === 'object' && value !== null && '$bytes' in value;
}
