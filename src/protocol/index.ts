/**
 * The RFC's language, pure: constants, one type per message and option, the CBOR scanner, decoding and encoding of
 * messages and values, framing of streams, objectives, locators, error codes, session-id and cache rules. State and
 * `now` come in as arguments; nothing here reads a socket, a clock or a random source.
 *
 * May import nothing of the project. Read messages.ts first, then decode.ts.
 */
export * from './constants.js';
export * from './errors.js';
export * from './messages.js';
export * from './reasons.js';
export {
  DEF_DECODE_LIMITS,
  decodeFramed,
  decodeMessage,
  type Decoded,
  type DecodeLimits,
  type DecodeResult,
  type MessageContext,
  type Refused,
} from './decode.js';
export { multicastKind, type MulticastKind } from './multicast-kind.js';
export { encodedSize, encodeInto, encodeMessage } from './encode.js';
export { MessageFramer, type FramerOptions, type FramerResult } from './framing.js';
export { DEF_SCAN_LIMITS, ItemScanner, scanItem, type ScanLimits, type ScanResult } from './scanner.js';
export { copyOf, put } from './bytes.js';
export { decodeScanned, decodeValue } from './value-decode.js';
export { encodeValue } from './value-encode.js';
export { DEF_VALUE_LIMITS, EncodedValue, RawCbor, Simple, Tag } from './value-types.js';
export { diagnostic } from './diagnostic.js';
export * from './objective.js';
export * from './address.js';
export * from './locator.js';
export * from './session-id.js';
export * from './discovery-cache.js';
export { hasValue, rapidValue } from './rapid.js';
export * from './flood-cache.js';
export * from './flood-copy.js';
export * from './dull.js';
export { firstLoopCount, relayCopy } from './loop-count.js';
export { Link, RecencyList } from './recency-list.js';
export { remembering } from './remembering.js';
export { RelayMemory, type RelayMemoryOptions } from './relay-memory.js';
export { TokenBucket } from './token-bucket.js';
