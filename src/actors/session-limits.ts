import { GRASP_DEF_MAX_SIZE } from '../protocol/index.js';
import type { SessionLimits } from './session-protocol.js';

/** Every limit of a session host with its value. */
export type CompleteSessionLimits = { readonly [K in keyof SessionLimits]-?: NonNullable<SessionLimits[K]> };

/** Defaults; what each means stands at {@link SessionLimits}. */
export const DEFAULT_SESSION_LIMITS: CompleteSessionLimits = {
  sessions: 10_000,
  pendingConnections: 1_000,
  firstMessageMs: 10_000,
  requestQueue: 128,
  maxMessageBytes: GRASP_DEF_MAX_SIZE,
  lingerMs: 2_000,
  lingeringStreams: 2_048,
  sendBufferBytes: 65_536,
  bindAttempts: 20,
  bindRetryMs: 50,
  sessionIdWaitMs: 5_000,
  rapidConnectMs: 1_000,
};

export function completeSessionLimits(limits: Partial<SessionLimits>): CompleteSessionLimits {
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  return { ...DEFAULT_SESSION_LIMITS, ...given };
}
