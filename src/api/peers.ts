/**
 * Whom a request without a peer goes to: RFC 8991 §2.3.5 and §2.3.6, "if the peer is null, a discovery is performed
 * first and the first responder is used" (api.md §4.6, D-08).
 */
import { DISCOVERY_TIMEOUT_PER_HOP_MS, locatorKey, type CachedLocator } from '../protocol/index.js';
import type { ObjectiveHead } from '../workers/engine-control.js';
import type { Client } from './client.js';
import { found } from './discovery.js';
import { toAsaLocator, type AsaLocator } from './locator.js';
import { isUsablePeer } from './peer.js';

export interface Search {
  readonly client: Client;
  readonly asa: number;
  readonly objective: ObjectiveHead;
  /** The request's own time to wait: a discovery takes no longer. */
  readonly timeoutMs: number;
  /** Rapid mode: goes into the discovery. */
  readonly value?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is known already: ASAs of this node (D-07) and unexpired locators of earlier discoveries. Nothing is sent. */
export async function known(search: Search): Promise<CachedLocator[]> {
  const { client, asa, objective, signal } = search;
  const all: CachedLocator[] = [];
  const request = { asa, objective, timeoutMs: 0, forRequest: true, signal };
  for await (const each of found(client, request)) all.push(each);
  return all;
}

/**
 * A discovery that does not go by what was known before, at most 100 ms × loop count and not longer than the
 * request. Of `tried`, which nobody answered, only those come again that answer now themselves.
 */
export async function* discovered(
  search: Search,
  tried: readonly CachedLocator[],
): AsyncGenerator<CachedLocator> {
  const { client, asa, objective, value, signal } = search;
  const timeoutMs = Math.min(DISCOVERY_TIMEOUT_PER_HOP_MS * objective.loopCount, search.timeoutMs);
  const keys = new Set(tried.map(keyOf));
  // Dropped only if they failed: what another call of this moment has found may be used.
  const flush = tried.some((each) => each.interface !== '');
  const request = { asa, objective, timeoutMs, flush, value, forRequest: true, signal };
  for await (const each of found(client, request)) {
    const hearsay = each.diverted || each.interface === '';
    if (!(hearsay && keys.has(keyOf(each)))) yield each;
  }
}

/** The locator as users see it, if a request can be sent there. */
export function usable(found: CachedLocator): AsaLocator | undefined {
  const locator = toAsaLocator(found);
  return isUsablePeer(locator) ? locator : undefined;
}

function keyOf(found: CachedLocator): string {
  return `${found.interface} ${locatorKey(found.locator)}`;
}
