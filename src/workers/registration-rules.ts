/** What may be registered and published: api.md §4.3 and §4.14 as pure checks. Each throws the GraspError it names. */
import {
  encodedSize,
  ErrorCode,
  GRASP_DEF_MAX_SIZE,
  GraspError,
  IPPROTO_TCP,
  IPPROTO_UDP,
  isGlobalOrUla,
  isLinkLocal,
  M_RESPONSE,
  M_SYNCH,
  MAX_LOOP_COUNT,
  MAX_PORT,
  MAX_UINT32,
  O_FQDN_LOCATOR,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
  objectiveFlags,
  validateObjective,
  validateName,
  type WireLocator,
} from '../protocol/index.js';
import type { ObjectiveRegistration } from './engine-control.js';

/** Flags as they stand in messages for this registration (RFC 8990 §2.10.2). */
export function flagsOf(registration: ObjectiveRegistration): number {
  return objectiveFlags(registration, { discoverable: !registration.floodOnly });
}

/**
 * 3 bad name, loop count, ttl or option; 8 negotiation and synchronization; 9 dry run without negotiation; 38 a
 * locator that is none; 40 a name, locators or a value that fit no message.
 *
 * @param maxMessageBytes of the engine, unless the registration says more.
 */
export function checkRegistration(registration: ObjectiveRegistration, maxMessageBytes: number): void {
  const invalid = validateObjective(registration);
  if (invalid) throw invalid;
  const { ttlMs, discoverable, floodOnly, synchronize, locators, value } = registration;
  if (!Number.isInteger(ttlMs) || ttlMs < 0 || ttlMs > MAX_UINT32) {
    throw new GraspError(ErrorCode.unspec, 'ttlMs is a whole number of milliseconds from 0 to 2^32-1');
  }
  for (const option of ['discoverable', 'local', 'rapid', 'floodOnly'] as const) {
    const given: unknown = registration[option];
    if (given !== undefined && typeof given !== 'boolean') {
      throw new GraspError(ErrorCode.unspec, `${option} is true or false`);
    }
  }
  if (floodOnly && discoverable) {
    throw new GraspError(ErrorCode.unspec, 'an objective is either floodOnly or discoverable');
  }
  if (floodOnly && !synchronize) {
    throw new GraspError(ErrorCode.unspec, 'a floodOnly objective is a synchronization objective');
  }
  if (locators !== undefined) checkLocators(registration.name, locators);
  if (value !== undefined) checkValue(registration, value, maxMessageBytes);
}

/** 3 no encoded value; 40 an M_SYNCH that holds it is too big (RFC 8990 §2.8.3). */
export function checkValue(
  registration: ObjectiveRegistration,
  value: Uint8Array,
  maxMessageBytes: number,
): void {
  // Values come from other threads, and in tests from other realms.
  if (!ArrayBuffer.isView(value) || value.byteLength === 0) {
    throw new GraspError(ErrorCode.unspec, 'the value is one encoded CBOR item');
  }
  const { name } = registration;
  const flags = flagsOf(registration);
  const objective = { name, flags, loopCount: MAX_LOOP_COUNT, value };
  const size = encodedSize({ type: M_SYNCH, sessionId: MAX_UINT32, objective });
  const most = Math.max(registration.maxMessageBytes ?? 0, maxMessageBytes);
  if (size > most) throw new GraspError(ErrorCode.tooBig, `a message of ${size} bytes, at most ${most}`);
}

/** D-05: as a whole they are what an M_RESPONSE holds. */
function checkLocators(name: string, locators: readonly WireLocator[]): void {
  if (!Array.isArray(locators)) throw new GraspError(ErrorCode.unspec, 'locators is an array');
  for (const locator of locators as readonly WireLocator[]) {
    if (!isUsable(locator)) throw new GraspError(ErrorCode.invalidLoc, JSON.stringify(name));
  }
  if (locators.length === 0) return;
  const size = encodedSize({
    type: M_RESPONSE,
    sessionId: MAX_UINT32,
    initiator: new Uint8Array(16),
    ttl: MAX_UINT32,
    locators,
    divert: undefined,
    objective: undefined,
  });
  if (size > GRASP_DEF_MAX_SIZE) {
    throw new GraspError(ErrorCode.tooBig, `the locators of ${JSON.stringify(name)} fit no M_RESPONSE`);
  }
}

/**
 * RFC 8990 §2.9.5, with what an M_RESPONSE allows (C-11): an address, name or URI, TCP or UDP, a port; null only in a
 * URI. An address is one that others can send to: global, unique local, or link-local (for its own link only).
 */
function isUsable(locator: WireLocator): boolean {
  if (typeof locator !== 'object' || locator === null) return false;
  const { type, protocol, port } = locator;
  const nullable = type === O_URI_LOCATOR;
  if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP && !(nullable && protocol === null)) return false;
  const isPort = port !== null && Number.isInteger(port) && port >= 0 && port <= MAX_PORT;
  if (!isPort && !(nullable && port === null)) return false;
  switch (type) {
    case O_IPv6_LOCATOR:
    case O_IPv4_LOCATOR: {
      const { address } = locator;
      const length = type === O_IPv6_LOCATOR ? 16 : 4;
      return (
        ArrayBuffer.isView(address) &&
        address.length === length &&
        (isGlobalOrUla(address) || isLinkLocal(address))
      );
    }
    case O_FQDN_LOCATOR:
      return isText(locator.name);
    case O_URI_LOCATOR:
      return isText(locator.uri);
    default:
      return false;
  }
}

/** Not empty, well-formed, and short enough for a message: as the name of an objective is. */
function isText(text: string): boolean {
  return validateName(text) === undefined;
}
