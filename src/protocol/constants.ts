/**
 * Every number of RFC 8990 and every default of this engine's protocol layer, each with its section and unit.
 * Grouped as the RFC groups them.
 */

/* Message types, RFC 8990 §5. */
/** Does nothing; ignored by every receiver. §2.8.13 */
export const M_NOOP = 0;
/** §2.8.4 */
export const M_DISCOVERY = 1;
/** §2.8.5 */
export const M_RESPONSE = 2;
/** Request Negotiation. §2.8.6 */
export const M_REQ_NEG = 3;
/** Request Synchronization. §2.8.6 */
export const M_REQ_SYN = 4;
/** One negotiation step. §2.8.7 */
export const M_NEGOTIATE = 5;
/** End of a negotiation, with O_ACCEPT or O_DECLINE. §2.8.8 */
export const M_END = 6;
/** Confirm Waiting. §2.8.9 */
export const M_WAIT = 7;
/** §2.8.10 */
export const M_SYNCH = 8;
/** §2.8.11 */
export const M_FLOOD = 9;
/** §2.8.12 */
export const M_INVALID = 99;

/* Option types, RFC 8990 §5; one number space with the message types. */
/** §2.9.2 */
export const O_DIVERT = 100;
/** §2.9.3 */
export const O_ACCEPT = 101;
/** §2.9.4 */
export const O_DECLINE = 102;
/** §2.9.5.1 */
export const O_IPv6_LOCATOR = 103;
/** §2.9.5.2 */
export const O_IPv4_LOCATOR = 104;
/** §2.9.5.3 */
export const O_FQDN_LOCATOR = 105;
/** §2.9.5.4 */
export const O_URI_LOCATOR = 106;

/* Objective flags as masks, RFC 8990 §2.10.2. */
/** Valid for discovery (bit 0). */
export const F_DISC = 1;
/** Valid for negotiation (bit 1). */
export const F_NEG = 2;
/** Valid for synchronization (bit 2). */
export const F_SYNCH = 4;
/** Dry-run negotiation (bit 3). */
export const F_NEG_DRY = 8;

/* Transport protocol numbers of locators, §2.9.5. */
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;

/* Addresses, ports and defaults, RFC 8990 §2.6 and §5. */
/** Link-local multicast group, IPv6. */
export const ALL_GRASP_NEIGHBORS_6 = 'ff02::13';
/** Link-local multicast group, IPv4. */
export const ALL_GRASP_NEIGHBORS_4 = '224.0.0.119';
/** UDP and TCP. */
export const GRASP_LISTEN_PORT = 7017;
/** ms; default of negotiation and synchronization timers. §2.6 */
export const GRASP_DEF_TIMEOUT = 60_000;
/** Default loop count. §2.6 */
export const GRASP_DEF_LOOPCT = 6;
/** Bytes; largest unicast message unless an objective's specification allows more. §2.6, §2.8.3 */
export const GRASP_DEF_MAX_SIZE = 2048;
/** Bytes; largest UDP multicast message: 1280 − 40 (IPv6) − 8 (UDP), never fragmented. §2.5.3 */
export const MAX_MULTICAST_SIZE = 1232;
/** Largest loop count the wire can carry. §4 */
export const MAX_LOOP_COUNT = 255;
/** Largest session ID, ttl (ms) and waiting time (ms). §4 */
export const MAX_UINT32 = 0xffff_ffff;
/** Largest port. */
export const MAX_PORT = 0xffff;

/* Times. */
/** ms per unit of loop count: the suggested discovery timeout. §2.5.4.3, §2.5.4.4 */
export const DISCOVERY_TIMEOUT_PER_HOP_MS = 100;
/** ms; ttl of an M_RESPONSE unless the registration says otherwise. RFC 8991 §2.3.3 */
export const DISCOVERY_DEF_TTL_MS = 60_000;
/** ms; how long a response with ttl 0 is kept: "much more than" 60 s. §2.8.5 */
export const RESPONSE_TTL_ZERO_MS = 600_000;
/** ms; how long a relay remembers a (session ID, initiator). §2.5.6.2 */
export const RELAY_MEMORY_MS = 120_000;
/** ms; how long a used session ID counts as recent and is not drawn again. §2.7 */
export const RECENT_SESSION_ID_MS = 120_000;

/* Limits of this engine; all can be set where they are used. */
/** Nesting of arrays, maps and tags in one received item; at least 32 must be accepted. */
export const DEF_MAX_DEPTH = 64;
/** Data items in one received item. */
export const DEF_MAX_ITEMS = 16_384;
/** Elements of one message array, and locators of one divert. */
export const DEF_MAX_ELEMENTS = 1024;
/** Nesting of a value handed to `encodeValue`: what fits under the four levels of a flood. */
export const MAX_VALUE_DEPTH = DEF_MAX_DEPTH - 4;
/** Bytes of UTF-8; the longest objective name that fits a multicast M_DISCOVERY with a 16-byte initiator. */
export const MAX_NAME_BYTES = MAX_MULTICAST_SIZE - 31;
