/** Places, subjects and messages as items show them. */
import {
  formatAddress,
  M_DISCOVERY,
  M_END,
  M_FLOOD,
  M_INVALID,
  M_NOOP,
  M_RESPONSE,
  M_WAIT,
  MESSAGE_NAMES,
  O_FQDN_LOCATOR,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
  type FloodEntry,
  type Message,
  type WireLocator,
  type WireObjective,
} from '../../protocol/index.js';
import type { Place, Subject } from '../../runtime/index.js';
import type {
  About,
  InspectedLocator,
  InspectedMessage,
  InspectedObjective,
  MessageName,
} from '../inspection-items.js';
import { safeBytes, safeText } from './safe-value.js';

/** Objectives and locators of one message that are shown; a hostile one may hold more than a thousand. */
export const SHOWN_PARTS = 32;

/** `[address]:port`, with the zone where the address means nothing without it. */
export function placeText({ address, port, interface: name }: Place): string {
  const zone = name && /^(fe[89ab]|169\.254\.)/i.test(address) && !address.includes('%') ? `%${name}` : '';
  return address.includes(':') ? `[${address}${zone}]:${port}` : `${address}${zone}:${port}`;
}

export function aboutOf({ objective, peer, session, role, interface: name, worker }: Subject): About {
  return {
    ...(objective === undefined || objective === '' ? {} : { objective: safeText(objective) }),
    ...(peer === undefined ? {} : { peer: placeText(peer) }),
    ...(session === undefined ? {} : { session }),
    ...(role === undefined ? {} : { role }),
    ...(name === undefined || name === '' ? {} : { interface: name }),
    ...(worker === undefined ? {} : { worker }),
  };
}

/** What an item says of a message beyond where it came from. */
export type MessageFields = Omit<
  InspectedMessage,
  'type' | 'thread' | 'at' | 'seq' | 'direction' | 'via' | 'peer' | 'interface' | 'actor' | 'role' | 'relayed'
>;

export function messageFields(message: Message, bytes: number): MessageFields {
  const name = MESSAGE_NAMES[message.type] as MessageName;
  const common = { message: name, objectives: objectivesOf(message), bytes };
  if (message.type === M_NOOP) return common;
  const { sessionId: session } = message;
  switch (message.type) {
    case M_DISCOVERY:
      return { ...common, session, initiator: addressText(message.initiator) };
    case M_RESPONSE: {
      const { initiator, ttl, divert } = message;
      return {
        ...common,
        session,
        initiator: addressText(initiator),
        ttl,
        locators: (divert ?? message.locators).slice(0, SHOWN_PARTS).map(locatorOf),
        ...(divert ? { diverted: true as const } : {}),
      };
    }
    case M_FLOOD:
      return { ...common, session, initiator: addressText(message.initiator), ttl: message.ttl };
    case M_WAIT:
      return { ...common, session, waitMs: message.waitingTime };
    case M_END: {
      const { accept, reason } = message;
      return { ...common, session, accept, ...(reason === undefined ? {} : { reason: safeText(reason) }) };
    }
    case M_INVALID:
      return { ...common, session, ...(message.info ? { info: safeBytes(message.info) } : {}) };
    default:
      return { ...common, session };
  }
}

/** Names of the objectives a message is about, before anything is made of them. */
export function objectiveNames(message: Message): readonly string[] {
  if ('objectives' in message) return message.objectives.map(({ objective }) => objective.name);
  return 'objective' in message && message.objective ? [message.objective.name] : [];
}

function objectivesOf(message: Message): InspectedObjective[] {
  if ('objectives' in message) return message.objectives.slice(0, SHOWN_PARTS).map(floodEntry);
  return 'objective' in message && message.objective ? [objectiveOf(message.objective)] : [];
}

function floodEntry({ objective, locator }: FloodEntry): InspectedObjective {
  return { ...objectiveOf(objective), ...(locator ? { locator: locatorOf(locator) } : {}) };
}

function objectiveOf({ name, flags, loopCount, value }: WireObjective): InspectedObjective {
  return { name: safeText(name), flags, loopCount, ...(value ? { value: safeBytes(value) } : {}) };
}

const KINDS = {
  [O_IPv6_LOCATOR]: 'ipv6',
  [O_IPv4_LOCATOR]: 'ipv4',
  [O_FQDN_LOCATOR]: 'fqdn',
  [O_URI_LOCATOR]: 'uri',
} as const;

function locatorOf(locator: WireLocator): InspectedLocator {
  const { type, protocol, port } = locator;
  const address =
    locator.type === O_URI_LOCATOR
      ? locator.uri
      : locator.type === O_FQDN_LOCATOR
        ? locator.name
        : addressText(locator.address);
  return { kind: KINDS[type], address: safeText(address), protocol, port };
}

export function addressText(bytes: Uint8Array): string {
  return bytes.length === 4 || bytes.length === 16 ? formatAddress(bytes) : safeBytes(bytes);
}
