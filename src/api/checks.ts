/** Checks of what users hand in: a clear error at once, nothing half done (RFC 8991 §2.3.2, api.md §3). */
import { ErrorCode, GRASP_DEF_TIMEOUT, GraspError, MAX_UINT32 } from '../protocol/index.js';

/** A time in ms: null, undefined and 0 mean the default; else a whole number up to 2^32−1. */
export function timeoutOf(timeoutMs: number | null | undefined): number {
  return checkedUint32(timeoutMs ?? 0, 'timeoutMs') || GRASP_DEF_TIMEOUT;
}

export function checkedUint32(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_UINT32) return value;
  throw new GraspError(ErrorCode.unspec, `${name} is a whole number from 0 to 2^32-1, not ${show(value)}`);
}

/** A loop count as a user sets it: 1 … 255 (RFC 8990 §2.6). */
export function checkedLoopCount(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 255) return value;
  throw new GraspError(ErrorCode.unspec, `loopCount is a whole number from 1 to 255, not ${show(value)}`);
}

export function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
