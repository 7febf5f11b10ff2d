/**
 * Places, subjects and messages as items show them. Fields that may be absent are set one by one: V8 takes longer to spread
 * small objects into one another than for all the rest of an item.
 */
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

/** What is being made. */
export type Draft<T> = { -readonly [K in keyof T]: T[K] };

export function aboutOf({ objective, peer, session, role, interface: name, worker }: Subject): About {
  const about: Draft<About> = {};
  if (objective !== undefined && objective !== '') about.objective = safeText(objective);
  if (peer !== undefined) about.peer = placeText(peer);
  if (session !== undefined) about.session = session;
  if (role !== undefined) about.role = role;
  if (name !== undefined && name !== '') about.interface = name;
  if (worker !== undefined) about.worker = worker;
  return about;
}

/** Where a message came from, as far as it is known. */
type Origin = Pick<InspectedMessage, 'thread' | 'at' | 'seq' | 'direction' | 'via'>;

export function nameOf(message: Message): MessageName {
  return MESSAGE_NAMES[message.type] as MessageName;
}

export function messageItem(origin: Origin, message: Message, bytes: number): Draft<InspectedMessage> {
  const item: Draft<InspectedMessage> = {
    type: 'grasp.message',
    thread: origin.thread,
    at: origin.at,
    seq: origin.seq,
    direction: origin.direction,
    via: origin.via,
    message: nameOf(message),
    objectives: objectivesOf(message),
    bytes,
  };
  if (message.type === M_NOOP) return item;
  item.session = message.sessionId;
  switch (message.type) {
    case M_DISCOVERY:
      item.initiator = addressText(message.initiator);
      break;
    case M_RESPONSE: {
      const { initiator, ttl, divert } = message;
      item.initiator = addressText(initiator);
      item.ttl = ttl;
      item.locators = (divert ?? message.locators).slice(0, SHOWN_PARTS).map(locatorOf);
      if (divert) item.diverted = true;
      break;
    }
    case M_FLOOD:
      item.initiator = addressText(message.initiator);
      item.ttl = message.ttl;
      break;
    case M_WAIT:
      item.waitMs = message.waitingTime;
      break;
    case M_END:
      item.accept = message.accept;
      if (message.reason !== undefined) item.reason = safeText(message.reason);
      break;
    case M_INVALID:
      if (message.info) item.info = safeBytes(message.info);
      break;
    default:
    // The rest is in the objective.
  }
  return item;
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
  const entry = objectiveOf(objective);
  if (locator) entry.locator = locatorOf(locator);
  return entry;
}

function objectiveOf({ name, flags, loopCount, value }: WireObjective): Draft<InspectedObjective> {
  const objective: Draft<InspectedObjective> = { name: safeText(name), flags, loopCount };
  if (value) objective.value = safeBytes(value);
  return objective;
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
