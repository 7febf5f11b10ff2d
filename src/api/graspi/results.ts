/**
 * The tuples that calls return. The first item is the code, 0 for success. Where the RFC and the older API differ,
 * the name that is called decides (api.md §3, §6).
 */
import type { asa_locator, objective, session_handle, tagged_objective } from './classes.js';

export type register_result = [err: number, handle: number | null];
export type discover_result = [err: number, locators: asa_locator[]];
/** `request_negotiate`, `negotiate_step`: counter-offer, accepted (no handle), declined (reason), or a failure. */
export type negotiate_result = [
  err: number,
  session: session_handle | null,
  objective: objective | null,
  reason: string | null,
];
/** `req_negotiate`, `grasp.negotiate_step`: on code 1 the reason stands in the objective's place. */
export type older_negotiate_result = [
  err: number,
  session: session_handle | null,
  answer: objective | string | null,
];
export type listen_result = [err: number, session: session_handle | null, objective: objective | null];
export type synchronize_result = [err: number, objective: objective | null];
export type get_flood_result = [err: number, tagged: tagged_objective[] | null];

/** The older shape of a negotiation result. */
export function inOlderShape(result: negotiate_result): older_negotiate_result {
  const [err, session, answer, reason] = result;
  return [err, session, err === 1 ? (reason ?? '') : answer];
}
