/**
 * Discovery Unsolicited Link-Local GRASP (RFC 8990 §2.5.2, RFC 8994 §6.4): what an unprotected instance, limited to
 * one link, accepts. "MUST discard silently" is said of all of it.
 */
import { isLinkLocal } from './address.js';
import { M_FLOOD, O_IPv4_LOCATOR, O_IPv6_LOCATOR } from './constants.js';
import type {
  DiscoveryMessage,
  FloodMessage,
  ResponseMessage,
  WireLocator,
  WireObjective,
} from './messages.js';

/** What makes an instance a DULL one; structured-cloneable. */
export interface DullRules {
  /** The one interface it works on. */
  readonly interface: string;
  /** Names of the objectives it serves. */
  readonly objectives: readonly string[];
}

/** Why a DULL instance discards what it received; counted as `dull.` and this. */
export type DullRefusal = 'source' | 'loop-count' | 'objective' | 'locator';

/** §2.5.2: "MUST discard silently any message whose loop count is not 1": each, where there are several. */
export function isOnLinkOnly(message: DiscoveryMessage | FloodMessage): boolean {
  return objectivesOf(message).every(({ loopCount }) => loopCount === 1);
}

/** §2.5.2: whether all it is about "belongs to the DULL service"; one foreign objective and the whole is discarded. */
export function isServed(message: DiscoveryMessage | FloodMessage, { objectives }: DullRules): boolean {
  return objectivesOf(message).every(({ name }) => objectives.includes(name));
}

/** All that it names, what nobody would cache of a flood (§2.10.3) included. */
function objectivesOf(message: DiscoveryMessage | FloodMessage): readonly WireObjective[] {
  if (message.type !== M_FLOOD) return [message.objective];
  return message.objectives.map(({ objective }) => objective).concat(message.others ?? []);
}

/** Why a DULL instance does not send anything about an objective; undefined: it does. */
export function notServed({ objectives }: DullRules, name: string): string | undefined {
  if (objectives.includes(name)) return undefined;
  return `${JSON.stringify(name)} is not an objective of this DULL instance (RFC 8990 §2.5.2)`;
}

/** The answer to a discovery: §2.5.2 allows neither a Divert in it nor a locator that is not of this link. */
export function responseRefusal(
  message: ResponseMessage,
  { objectives }: DullRules,
): DullRefusal | undefined {
  const { divert, locators, objective } = message;
  if (objective && objective.loopCount !== 1) return 'loop-count';
  if (objective && !objectives.includes(objective.name)) return 'objective';
  return divert !== undefined || !locators.every(isLinkLocalLocator) ? 'locator' : undefined;
}

/** An address of the link; never a name or URI, which may lead anywhere. */
export function isLinkLocalLocator(locator: WireLocator): boolean {
  const { type } = locator;
  return (type === O_IPv6_LOCATOR || type === O_IPv4_LOCATOR) && isLinkLocal(locator.address);
}
