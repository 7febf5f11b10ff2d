/** A context or an event as a list of names and values. */
import type { SafeValue } from '../feed.js';
import { h } from './dom.js';

const DEEPEST = 4;

export function valueList(value: SafeValue): HTMLElement {
  const entries = isRecord(value) ? Object.entries(value) : [];
  if (entries.length === 0) return h('p', { class: 'quiet' }, 'nothing');
  return h(
    'dl',
    { class: 'values' },
    ...entries.flatMap(([name, one]) => [h('dt', {}, name), h('dd', {}, rendered(one, 1))]),
  );
}

/** Names and texts that are known as such. */
export function factList(facts: Readonly<Record<string, string | undefined>>): HTMLElement {
  const known = Object.entries(facts).filter((fact): fact is [string, string] => fact[1] !== undefined);
  return h(
    'dl',
    { class: 'values' },
    ...known.flatMap(([name, text]) => [h('dt', {}, name), h('dd', {}, text)]),
  );
}

function rendered(value: SafeValue, depth: number): Node {
  if (Array.isArray(value)) {
    const items = value as readonly SafeValue[];
    if (items.length === 0) return quiet('none');
    if (items.every((item) => !isRecord(item)) || depth >= DEEPEST) return code(JSON.stringify(value));
    return h('ol', { class: 'nested' }, ...items.map((item) => h('li', {}, rendered(item, depth + 1))));
  }
  if (isRecord(value)) {
    if (Object.keys(value).length === 0) return quiet('empty');
    return depth >= DEEPEST ? code(JSON.stringify(value)) : nested(value, depth);
  }
  return code(typeof value === 'string' ? value : JSON.stringify(value));
}

function nested(value: Readonly<Record<string, SafeValue>>, depth: number): HTMLElement {
  return h(
    'dl',
    { class: 'values nested' },
    ...Object.entries(value).flatMap(([name, one]) => [
      h('dt', {}, name),
      h('dd', {}, rendered(one, depth + 1)),
    ]),
  );
}

const code = (text: string): HTMLElement => h('code', {}, text);
const quiet = (text: string): HTMLElement => h('span', { class: 'quiet' }, text);

function isRecord(value: SafeValue): value is Readonly<Record<string, SafeValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
