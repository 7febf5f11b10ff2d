/**
 * substrate: RFC 8990 §2.5.1's word for what carries messages; `types.ts` is the interface all of them implement.
 * `plain` uses the host's interfaces, `simulated` a network in memory. May import: protocol, runtime.
 */
export * from './types.js';
export {
  addressForSelf,
  initiatorAddress,
  isLocalName,
  isOwnAddress,
  isUsable,
  ownAddress,
} from './own-address.js';
export { linkLocalOnly } from './link-local.js';
export { openPlainSubstrate, type PlainOptions } from './plain/index.js';
export {
  openSimulatedSubstrate,
  SimulatedNetwork,
  type LinkCounters,
  type LinkSettings,
  type NodeOptions,
  type SimulatedLink,
  type SimulatedNetworkOptions,
  type SimulatedNode,
  type Traffic,
} from './simulated/index.js';
