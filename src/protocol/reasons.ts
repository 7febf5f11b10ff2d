/**
 * Why bytes from a peer were refused: one literal name per case, in the order in which they are looked for.
 * Counters and logs use these names.
 */
export const REFUSAL_REASONS = [
  /* Not one well-formed CBOR item (RFC 8949). */
  /** A datagram of no bytes. */
  'cbor.empty',
  /** The bytes end inside the item. */
  'cbor.truncated',
  /** A datagram holds more than one item. */
  'cbor.trailing-bytes',
  /** Reserved additional information 28–30, or 31 where no indefinite length exists. */
  'cbor.reserved',
  /** A break outside an indefinite-length item, or between a key and its value. */
  'cbor.break',
  /** A chunk of an indefinite-length string that is no definite string of the same type. */
  'cbor.chunk',
  /** A simple value below 32 in two bytes. */
  'cbor.simple',
  /** A text string that is not UTF-8. */
  'cbor.utf8',
  /* Well-formed perhaps, but beyond a limit of this engine. */
  'limit.bytes',
  'limit.depth',
  'limit.items',
  'limit.elements',
  /* A CBOR item that is no GRASP message at all. */
  'message.not-array',
  'message.empty',
  /** The first element is not an unsigned integer 0..255. */
  'message.type',
  /** A number without a meaning, or an option's. RFC 8990 §2.8.2 */
  'message.unknown-type',
  /** A known message where it must not occur. */
  'message.misplaced',
  /* Known message, wrong shape (RFC 8990 §4). */
  'message.arity',
  'message.session-id',
  'message.initiator',
  'message.ttl',
  'message.waiting-time',
  /** A surplus element that is no option, so it cannot be skipped. §2.9.1 */
  'message.surplus',
  'objective.shape',
  'objective.name',
  'objective.flags',
  'objective.loop-count',
  /** Required in M_REQ_NEG, M_NEGOTIATE and M_SYNCH. §2.10.1 */
  'objective.no-value',
  /** Without F_NEG, or with F_SYNCH, in M_REQ_NEG or M_NEGOTIATE. §2.10.3 */
  'objective.not-negotiation',
  /** Without F_SYNCH, or with F_NEG, in M_REQ_SYN or M_SYNCH. §2.10.3 */
  'objective.not-synchronization',
  'locator.shape',
  'locator.address',
  'locator.name',
  'locator.protocol',
  'locator.port',
  /** M_RESPONSE without locator or divert. §2.8.5 */
  'response.no-locator',
  /** Locators and a divert together, two diverts, two objectives, or an option after the objective. */
  'response.order',
  'divert.empty',
  /** Only addresses or names that mean nothing beyond their own link. §2.9.5.1–4 */
  'divert.unusable',
  /** M_END without O_ACCEPT or O_DECLINE. §2.8.8 */
  'end.no-option',
  /** M_END with more than one of them. */
  'end.contradiction',
  /** O_ACCEPT or O_DECLINE of the wrong shape. §2.9.3, §2.9.4 */
  'end.option',
  'flood.pair',
  'flood.locator',
  /** A link-local initiator with a loop count other than 1. §2.5.6.2 */
  'flood.link-local-loop-count',
  /** No synchronization objective in it. §2.10.3 */
  'flood.not-synchronization',
] as const;

/** The name of a refusal; see {@link REFUSAL_REASONS}. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];
