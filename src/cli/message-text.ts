/** GRASP messages for people and as JSON fields: what `grasp decode` shows beside the CBOR. */
import {
  F_DISC,
  F_NEG,
  F_NEG_DRY,
  F_SYNCH,
  IPPROTO_TCP,
  IPPROTO_UDP,
  decodeValue,
  formatAddress,
  formatLocator,
  type Message,
  type WireLocator,
  type WireObjective,
} from '../protocol/index.js';
import { Shown, valueJson } from './json-line.js';

const NAMES: Readonly<Record<number, string>> = {
  0: 'M_NOOP',
  1: 'M_DISCOVERY',
  2: 'M_RESPONSE',
  3: 'M_REQ_NEG',
  4: 'M_REQ_SYN',
  5: 'M_NEGOTIATE',
  6: 'M_END',
  7: 'M_WAIT',
  8: 'M_SYNCH',
  9: 'M_FLOOD',
  99: 'M_INVALID',
};

/** The RFC 8990 name of a message type; its number where it has none. */
export function messageName(type: number): string {
  return NAMES[type] ?? String(type);
}

export interface MessageDescription {
  /** Fields of the JSON line. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Lines of `name: value`. */
  readonly text: readonly string[];
}

/** Every field of the message under its RFC 8990 §4 name. */
export function describeMessage(message: Message): MessageDescription {
  const json: Record<string, unknown> = {};
  const text: string[] = [];
  const add = (key: string, label: string, shown: unknown, line: string): void => {
    json[key] = shown;
    text.push(`${label}: ${line}`);
  };
  if ('sessionId' in message) add('sessionId', 'session id', message.sessionId, String(message.sessionId));
  if ('initiator' in message) {
    const initiator = formatAddress(message.initiator);
    add('initiator', 'initiator', initiator, initiator);
  }
  if ('ttl' in message) add('ttlMs', 'ttl', message.ttl, `${message.ttl} ms`);
  if ('waitingTime' in message) {
    add('waitingTimeMs', 'waiting time', message.waitingTime, `${message.waitingTime} ms`);
  }
  if ('accept' in message) {
    const { accept, reason } = message;
    const decline = reason === undefined ? 'O_DECLINE' : `O_DECLINE ${JSON.stringify(reason)}`;
    json['reason'] = accept ? undefined : (reason ?? null);
    add('option', 'option', accept ? 'O_ACCEPT' : 'O_DECLINE', accept ? 'O_ACCEPT' : decline);
  }
  if ('locators' in message) {
    json['locators'] = message.locators.map((locator) => locatorJson(locator));
    for (const locator of message.locators) text.push(`locator: ${locatorText(locator)}`);
  }
  if ('divert' in message && message.divert !== undefined) {
    json['divert'] = message.divert.map((locator) => locatorJson(locator));
    for (const locator of message.divert) text.push(`divert to: ${locatorText(locator)}`);
  }
  if ('objective' in message && message.objective !== undefined) {
    add('objective', 'objective', objectiveJson(message.objective), objectiveText(message.objective));
  }
  if ('objectives' in message) {
    json['objectives'] = message.objectives.map(({ objective, locator }) => ({
      ...objectiveJson(objective),
      locator: locator === undefined ? null : locatorJson(locator),
    }));
    for (const { objective, locator } of message.objectives) {
      const tag = locator === undefined ? '' : ` at ${locatorText(locator)}`;
      text.push(`objective: ${objectiveText(objective)}${tag}`);
    }
  }
  if ('info' in message && message.info !== undefined) {
    const info = decodeValue(message.info);
    add('info', 'info', new Shown(info), valueJson(info));
  }
  return { json, text };
}

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [F_DISC, 'F_DISC'],
  [F_NEG, 'F_NEG'],
  [F_SYNCH, 'F_SYNCH'],
  [F_NEG_DRY, 'F_NEG_DRY'],
];

function flagNames(flags: number): string[] {
  return FLAG_NAMES.filter(([mask]) => (flags & mask) !== 0).map(([, name]) => name);
}

function objectiveJson(objective: WireObjective): Record<string, unknown> {
  const { name, flags, loopCount, value } = objective;
  return {
    name,
    flags: flagNames(flags),
    loopCount,
    value: value === undefined ? undefined : new Shown(decodeValue(value)),
  };
}

function objectiveText(objective: WireObjective): string {
  const { name, flags, loopCount, value } = objective;
  const shown = value === undefined ? 'no value' : `value ${valueJson(decodeValue(value))}`;
  return `${JSON.stringify(name)} ${flagNames(flags).join('+')} loop count ${loopCount}, ${shown}`;
}

const PROTOCOLS: Readonly<Record<number, string>> = { [IPPROTO_TCP]: 'tcp', [IPPROTO_UDP]: 'udp' };

function protocolName(protocol: number | null): string | number | null {
  return protocol === null ? null : (PROTOCOLS[protocol] ?? protocol);
}

function locatorAddress(locator: WireLocator): string {
  switch (locator.type) {
    case 103:
    case 104:
      return formatAddress(locator.address);
    case 105:
      return locator.name;
    case 106:
      return locator.uri;
  }
}

const KINDS = { 103: 'ipv6', 104: 'ipv4', 105: 'fqdn', 106: 'uri' } as const;

function locatorJson(locator: WireLocator): Record<string, unknown> {
  return {
    kind: KINDS[locator.type],
    address: locatorAddress(locator),
    protocol: protocolName(locator.protocol),
    port: locator.port,
  };
}

function locatorText(locator: WireLocator): string {
  const protocol = protocolName(locator.protocol);
  return `${formatLocator(locator)}${protocol === null ? '' : ` ${protocol}`}`;
}
