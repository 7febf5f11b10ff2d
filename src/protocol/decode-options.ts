/** Reads options (RFC 8990 §2.9) at the reader's cursor: locators, diverts, and the pairs of a flood. */
import {
  IPPROTO_TCP,
  IPPROTO_UDP,
  M_FLOOD,
  M_RESPONSE,
  MAX_PORT,
  O_DIVERT,
  O_FQDN_LOCATOR,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
} from './constants.js';
import { isSynchronizationOnly, readObjective } from './decode-objective.js';
import { usableInDivert } from './locator.js';
import type { FloodEntry, WireLocator, WireObjective } from './messages.js';
import type { RefusalReason } from './reasons.js';
import * as R from './reader.js';

function isLocatorType(type: number): type is WireLocator['type'] {
  return type >= O_IPv6_LOCATOR && type <= O_URI_LOCATOR;
}

/**
 * The locator at the cursor, whose option number has been looked at. `opaque`: in a flood, where it is a tag and any
 * protocol number and a null port are tolerated (C-11, RFC 8995 §4.3).
 */
function readLocator(opaque: boolean): WireLocator | RefusalReason {
  if (R.enterArray() !== 4) return 'locator.shape';
  const indefinite = R.enteredIndefinite();
  const type = R.readUint(255) as WireLocator['type'];
  let address: Uint8Array | undefined;
  let text: string | undefined;
  if (type === O_IPv6_LOCATOR || type === O_IPv4_LOCATOR) {
    address = R.readBytes();
    if (address?.length !== (type === O_IPv6_LOCATOR ? 16 : 4)) return 'locator.address';
  } else {
    text = R.readText();
    if (text === undefined) return 'locator.name';
  }
  let protocol: number | null = null;
  if (type !== O_URI_LOCATOR || !R.readNull()) {
    protocol = R.readUint(255);
    if (protocol < 0 || (!opaque && protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP))
      return 'locator.protocol';
  }
  let port: number | null = null;
  if ((type !== O_URI_LOCATOR && !opaque) || !R.readNull()) {
    port = R.readUint(MAX_PORT);
    if (port < 0) return 'locator.port';
  }
  R.leaveArray(indefinite);
  if (address) return { type: type as 103 | 104, address, protocol: protocol!, port };
  if (type === O_FQDN_LOCATOR) return { type, name: text!, protocol: protocol!, port };
  return { type: O_URI_LOCATOR, uri: text!, protocol, port };
}

export interface ResponseBody {
  readonly locators: readonly WireLocator[];
  readonly divert: readonly WireLocator[] | undefined;
  readonly objective: WireObjective | undefined;
  readonly dropped: number;
}

/**
 * What follows the ttl of an M_RESPONSE, `left` elements: `(+locator-option // divert-option), ?objective`. An
 * objective is told from an option by its first element, text or unsigned integer.
 */
export function readDivertOrLocators(left: number, maxElements: number): ResponseBody | RefusalReason {
  const locators: WireLocator[] = [];
  let divert: readonly WireLocator[] | undefined;
  let objective: WireObjective | undefined;
  let dropped = 0;
  for (let i = 0; i < left; i++) {
    if (R.atTextArray()) {
      const read = objective ? 'response.order' : readObjective(M_RESPONSE);
      if (typeof read === 'string') return read;
      objective = read;
      continue;
    }
    if (!R.atOption()) return 'message.surplus';
    const option = R.peekOption();
    if (isLocatorType(option)) {
      if (divert || objective) return 'response.order';
      const locator = readLocator(false);
      if (typeof locator === 'string') return locator;
      locators.push(locator);
    } else if (option === O_DIVERT) {
      if (divert || objective || locators.length > 0) return 'response.order';
      const read = readDivert(maxElements);
      if (typeof read === 'string') return read;
      divert = read.locators;
      dropped += read.dropped;
    } else {
      R.skip();
      dropped++;
    }
  }
  if (locators.length === 0 && !divert) return 'response.no-locator';
  return { locators, divert, objective, dropped };
}

/**
 * §2.9.2. Locators that mean nothing beyond their own link MUST NOT be in a divert (§2.9.5.1–4): they are skipped,
 * and a divert of nothing else is refused.
 */
function readDivert(maxElements: number): { locators: WireLocator[]; dropped: number } | RefusalReason {
  const count = R.enterArray();
  const indefinite = R.enteredIndefinite();
  if (count > maxElements) return 'limit.elements';
  R.skip();
  const locators: WireLocator[] = [];
  let unusable = 0;
  let dropped = 0;
  for (let i = 1; i < count; i++) {
    if (!R.atOption()) return 'locator.shape';
    if (!isLocatorType(R.peekOption())) {
      R.skip();
      dropped++;
      continue;
    }
    const locator = readLocator(false);
    if (typeof locator === 'string') return locator;
    if (usableInDivert(locator)) locators.push(locator);
    else unusable++;
  }
  R.leaveArray(indefinite);
  if (locators.length === 0) return unusable > 0 ? 'divert.unusable' : 'divert.empty';
  return { locators, dropped: dropped + unusable };
}

/**
 * The pairs of an M_FLOOD, `left` elements. One malformed pair spoils the whole flood; entries that are no
 * synchronization objectives are skipped (§2.10.3). With a link-local initiator every loop count must be 1:
 * "messages with a link-local source and a loop count other than 1 … MUST be discarded" (§2.5.6.2, C-03).
 */
export function readFlood(
  left: number,
  linkLocal: boolean,
): { objectives: FloodEntry[]; others: WireObjective[] | undefined; dropped: number } | RefusalReason {
  const objectives: FloodEntry[] = [];
  let others: WireObjective[] | undefined;
  let pairs = 0;
  let dropped = 0;
  for (let i = 0; i < left; i++) {
    if (R.atOption()) {
      R.skip();
      dropped++;
      continue;
    }
    if (R.enterArray() !== 2) return 'flood.pair';
    const indefinite = R.enteredIndefinite();
    const objective = readObjective(M_FLOOD);
    if (typeof objective === 'string') return objective;
    const locator = readTag();
    if (typeof locator === 'string') return locator;
    R.leaveArray(indefinite);
    pairs++;
    if (linkLocal && objective.loopCount !== 1) return 'flood.link-local-loop-count';
    if (isSynchronizationOnly(objective.flags)) objectives.push({ objective, locator });
    else {
      (others ??= []).push(objective);
      dropped++;
    }
  }
  if (objectives.length > 0) return { objectives, others, dropped };
  return pairs > 0 ? 'flood.not-synchronization' : 'flood.pair';
}

/** The second half of a flood's pair: one locator, or `[]`. */
function readTag(): WireLocator | undefined | RefusalReason {
  if (R.atOption() && isLocatorType(R.peekOption())) return readLocator(true);
  if (R.enterArray() !== 0) return 'flood.locator';
  R.leaveArray(R.enteredIndefinite());
  return undefined;
}
