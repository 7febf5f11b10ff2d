/** `errors` and `etext` of the older API: RFC 8991 Appendix A by name and by number (api.md §1). */
import { ERROR_TEXT, ErrorCode, GraspError } from '../../protocol/index.js';

/**
 * Code by name: `errors.declined` is 1. 0–38 are RFC 8991's; own ones from 40 (`tooBig`, `engineLost`, `closed`,
 * `overload`).
 */
export const errors = ErrorCode;

/** Text by code: `etext[err]`. 39 belongs to the Python prototype and never comes from here. */
export const etext: readonly string[] = Array.from(
  { length: Math.max(...Object.values(ErrorCode)) + 1 },
  (_, code) => (ERROR_TEXT as Readonly<Record<number, string>>)[code] ?? `Error ${code}`,
);

/** A failure of the protocol or of the caller as the code of the result; anything else is thrown on. */
export function failureOf(error: unknown): GraspError {
  if (GraspError.is(error)) return error;
  throw error;
}
