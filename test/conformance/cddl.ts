/** The CDDL of RFC 8990 §4, for messages of E: what a message violates of it; undefined: nothing. */
import {
  M_INVALID,
  M_NOOP,
  O_DIVERT,
  O_FQDN_LOCATOR,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
  TCP,
  UDP,
} from './wire.js';

type Rule = (item: unknown) => boolean;

const uint =
  (most: number): Rule =>
  (item) =>
    typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= most && !Object.is(item, -0);
const uint32 = uint(0xffff_ffff);
const text: Rule = (item) => typeof item === 'string';
const bytes =
  (...sizes: readonly number[]): Rule =>
  (item) =>
    item instanceof Uint8Array && sizes.includes(item.length);
const address = bytes(4, 16);
const any: Rule = () => true;
const only =
  (...values: readonly unknown[]): Rule =>
  (item) =>
    values.includes(item);
const either =
  (...rules: readonly Rule[]): Rule =>
  (item) =>
    rules.some((rule) => rule(item));
/** An array of these; `optional`: what may follow. */
const array =
  (rules: readonly Rule[], optional: readonly Rule[] = []): Rule =>
  (item) =>
    Array.isArray(item) &&
    item.length >= rules.length &&
    item.length <= rules.length + optional.length &&
    item.every((each, i) => [...rules, ...optional][i]!(each));

const protocol = only(TCP, UDP);
const port = uint(0xffff);
const locator = either(
  array([only(O_IPv6_LOCATOR), bytes(16), protocol, port]),
  array([only(O_IPv4_LOCATOR), bytes(4), protocol, port]),
  array([only(O_FQDN_LOCATOR), text, protocol, port]),
  array([only(O_URI_LOCATOR), text, either(protocol, only(null)), either(port, only(null))]),
);
const divert: Rule = (item) =>
  Array.isArray(item) && item[0] === O_DIVERT && item.length > 1 && item.slice(1).every(locator);
const flags = uint(15);
const loopCount = uint(255);
const objective = array([text, flags, loopCount], [any]);
/** §2.10.1: the value may be absent in M_DISCOVERY and M_RESPONSE only. */
const valued = array([text, flags, loopCount, any]);

const response: Rule = (item) => {
  if (!Array.isArray(item)) return false;
  const [type, sid, initiator, ttl, ...content] = item as unknown[];
  if (objective(content.at(-1))) content.pop();
  const placed =
    content.length > 0 && (content.every(locator) || (content.length === 1 && divert(content[0])));
  return type === 2 && uint32(sid) && address(initiator) && uint32(ttl) && placed;
};

const flood: Rule = (item) => {
  if (!Array.isArray(item)) return false;
  const [type, sid, initiator, ttl, ...pairs] = item as unknown[];
  const pair = array([objective, either(locator, array([]))]);
  return (
    type === 9 && uint32(sid) && address(initiator) && uint32(ttl) && pairs.length > 0 && pairs.every(pair)
  );
};

const RULES = new Map<unknown, Rule>([
  [M_NOOP, array([any])],
  [1, array([any, uint32, address, objective])],
  [2, response],
  [3, array([any, uint32, valued])],
  [4, array([any, uint32, objective])],
  [5, array([any, uint32, valued])],
  [6, array([any, uint32, either(array([only(101)]), array([only(102)], [text]))])],
  [7, array([any, uint32, uint32])],
  [8, array([any, uint32, valued])],
  [9, flood],
  [M_INVALID, array([any, uint32], [any])],
]);

/** Whether an item is a message by the CDDL. */
export function isMessage(item: unknown): boolean {
  return Array.isArray(item) && (RULES.get(item[0])?.(item) ?? false);
}
