/** What a flooder sends: one copy of its flood per interface (RFC 8990 §2.5.6.2, §2.8.11, C-03, C-21). */
import { isLinkLocal } from './address.js';
import { M_FLOOD, O_IPv6_LOCATOR } from './constants.js';
import type { FloodEntry, FloodMessage, WireLocator } from './messages.js';

/** What all copies of a flood have in common. */
export interface Flood {
  readonly sessionId: number;
  /** ms; 0: never expires. */
  readonly ttl: number;
  readonly objectives: readonly FloodEntry[];
}

/** Whether a tag is `::`, which stands for the link-local address of each sending interface (C-21). */
export function isOwnLinkLocal(locator: WireLocator | undefined): boolean {
  return locator?.type === O_IPv6_LOCATOR && locator.address.every((byte) => byte === 0);
}

/**
 * The copy for one interface. With a link-local initiator, or a tag `::` anywhere, it is for the link alone: all loop
 * counts are 1, "setting the loop count to 1 and sending with a link-local source address" (§2.5.6.2). Undefined if
 * a tag is `::` and the interface has no `linkLocal` address. The flood itself is not changed.
 */
export function floodCopy(
  { sessionId, ttl, objectives }: Flood,
  initiator: Uint8Array,
  linkLocal: Uint8Array | undefined,
): FloodMessage | undefined {
  const replaces = objectives.some(({ locator }) => isOwnLinkLocal(locator));
  if (replaces && !linkLocal) return undefined;
  const linkOnly = replaces || isLinkLocal(initiator);
  return {
    type: M_FLOOD,
    sessionId,
    initiator,
    ttl,
    objectives: objectives.map(({ objective, locator }) => ({
      objective: linkOnly ? { ...objective, loopCount: 1 } : objective,
      locator:
        locator?.type === O_IPv6_LOCATOR && isOwnLinkLocal(locator)
          ? { ...locator, address: linkLocal! }
          : locator,
    })),
  };
}
