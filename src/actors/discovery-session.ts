/**
 * Discovery session, initiator's side: RFC 8990 §2.5.4.3.
 *
 * One per discovery, from the M_DISCOVERY on every interface to the end of its timer (100 ms × loop count unless
 * the caller gave one). Every M_RESPONSE that carries its session id and initiator is kept, as it arrives; the
 * caller may end it early. Connection failures are "no response" (§2.8.5) and do not appear here.
 */
import { setup } from 'xstate';
import type { ResponseMessage, SynchMessage } from '../protocol/index.js';
import type { Described } from '../runtime/index.js';
import type { Target } from '../substrate/types.js';
import type { Failure } from './session-protocol.js';

/** What a discovery session does to the world. */
export interface DiscoverySessionPort extends Described {
  /** Sends M_DISCOVERY on every interface. */
  send(): void;
  startTimer(): void;
  stopTimer(): void;
  /** Caches every locator of a response and tells who waits (G-2.5.4.3-18). */
  keep(message: ResponseMessage, interfaceName: string): void;
  /** Tells who waits of a value that came in place of a response (§2.5.6.3). */
  keepValue(message: SynchMessage, interfaceName: string, remote: Target): void;
  /** The discovery is a request at the same time (§2.5.5.1). */
  readonly isRequest: boolean;
  /** A peer has connected and said nothing yet: it may be about to answer. */
  readonly peerConnected: boolean;
  /** The request is answered: its connection goes to the session that it begins. */
  handOver(): void;
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
  /** An M_NEGOTIATE, M_END or M_WAIT with its session id. */
  | { readonly type: 'negotiation.received' }
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
  guards: {
    isRequest: ({ context }) => context.port.isRequest,
    mayBeAnswered: ({ context }) => context.port.isRequest && context.port.peerConnected,
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
    handOver: ({ context }) => context.port.handOver(),
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
        'response.received': [
          // §2.5.5.1: "a Discovery Response will arrive … before such a Negotiation message": no rapid mode then.
          { guard: 'isRequest', target: 'done', actions: ['keep', 'finish'] },
          { actions: 'keep' },
        ],
        // The first answer is the session's; those that follow find no discovery any more.
        'negotiation.received': { target: 'done', actions: 'handOver' },
        'value.received': { actions: 'keepValue' },
        'timer.expired': [
          // An ASA may take its time; the connection has a timer of its own, and so has the negotiation.
          { guard: 'mayBeAnswered', actions: 'startTimer' },
          { target: 'done', actions: 'finish' },
        ],
        cancelled: { target: 'done', actions: 'finish' },
        'send.failed': { target: 'done', actions: 'finish' },
        'security.lost': { target: 'done', actions: 'fail' },
      },
    },
    done: { type: 'final' },
  },
});
