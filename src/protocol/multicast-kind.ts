import { M_DISCOVERY, M_FLOOD, MAX_UINT32 } from './constants.js';
import * as reader from './reader.js';
import { scanItem, type ScanLimits } from './scanner.js';

/**
 * What a multicast is, before anyone looks at its meaning: exactly one well-formed item (RFC 8990 §2.5.3) that
 * begins like a discovery, like a flood, or like neither. `other` is silently discarded (§2.8.2, §2.8.13).
 */
export type MulticastKind = 'discovery' | 'flood' | 'other' | 'malformed';

export function multicastKind(bytes: Uint8Array, limits?: ScanLimits): MulticastKind {
  const scanned = scanItem(bytes, 0, limits);
  if (scanned.kind !== 'item' || scanned.end !== bytes.length) return 'malformed';
  reader.open(bytes);
  const type = reader.enterArray() < 1 ? -1 : reader.readUint(MAX_UINT32);
  reader.close();
  return type === M_DISCOVERY ? 'discovery' : type === M_FLOOD ? 'flood' : 'other';
}
