/**
 * plain: UDP multicast and TCP on the host's own interfaces, without protection. What depends on the operating
 * system is in `platform.ts`. Real time and real sockets live here; the rest of the engine takes both as arguments.
 * May import: runtime, `substrate/types.ts`.
 */
export type { PlainOptions } from './options.js';
export { openPlainSubstrate } from './substrate.js';
