/**
 * Discovery session, initiator's side: RFC 8990 §2.5.4.3.
 *
 * One per discovery, from the M_DISCOVERY on every interface to the end of its timer (100 ms × loop count unless
 * the caller gave one). Every M_RESPONSE that carries its session id and initiator is kept, as it arrives; the
 * caller may end it early. Connection failures are "no response" (§2.8.5) and do not appear here.
 */
import { setup } from 'xstate';
import type { ResponseMessage, SynchMessage } from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import type { Failure } from './session-protocol.js';

/** What a discovery session does to the world. */
export interface DiscoverySessionPort {
  /** Sends M_DISCOVERY on every interface. */
  send(): void;
  startTimer(): void;
  stopTimer(): void;
  /** Caches every locator of a response and tells who waits (G-2.5.4.3-18). */
  keep(message: ResponseMessage, interfaceName: string): void;
  /** Tells who waits of a value that came in place of a response (§2.5.6.3). */
  keepValue(message: SynchMessage, interfaceName: string, remote: Target): void;
  /** The session is over; told once. */
  finish(failure: Failure | undefined): void;
}

export interface DiscoverySessionContext {
  readonly port: DiscoverySessionPort;
}

export type DiscoverySessionEvent =
  | { readonly type: 'response.received'; readonly message: ResponseMessage; readonly interface: string }
  | {
      readonly type: 'value.received';
      readonly message: SynchMessage;
      readonly interface: string;
      readonly remote: Target;
    }
  | { readonly type: 'timer.expired' }
  /** The caller has what it wanted, or went away. */
  | { readonly type: 'cancelled' }
  /** No interface took the discovery: nobody can answer. */
  | { readonly type: 'send.failed' }
  | { readonly type: 'security.lost'; readonly code: number };

export const discoverySessionMachine = setup({
  types: {
    context: {} as DiscoverySessionContext,
    events: {} as DiscoverySessionEvent,
    input: {} as DiscoverySessionContext,
  },
  actions: {
    send: ({ context }) => context.port.send(),
    startTimer: ({ context }) => context.port.startTimer(),
    stopTimer: ({ context }) => context.port.stopTimer(),
    keep: ({ context, event }) => {
      if (event.type === 'response.received') context.port.keep(event.message, event.interface);
    },
    keepValue: ({ context, event }) => {
      if (event.type === 'value.received')
        context.port.keepValue(event.message, event.interface, event.remote);
    },
    finish: ({ context }) => context.port.finish(undefined),
    fail: ({ context, event }) => {
      if (event.type === 'security.lost') context.port.finish({ code: event.code });
    },
  },
}).createMachine({
  id: 'discoverySession',
  context: ({ input }) => input,
  initial: 'collecting',
  states: {
    collecting: {
      entry: ['send', 'startTimer'],
      exit: 'stopTimer',
      on: {
        'response.received': { actions: 'keep' },
        'value.received': { actions: 'keepValue' },
        'timer.expired': { target: 'done', actions: 'finish' },
        cancelled: { target: 'done', actions: 'finish' },
        'send.failed': { target: 'done', actions: 'finish' },
        'security.lost': { target: 'done', actions: 'fail' },
      },
    },
    done: { type: 'final' },
  },
});
