/**
 * One connection to the port from which this node sends its discoveries: RFC 8990 §2.8.4, §2.8.5. It carries one
 * M_RESPONSE and ends, or the M_SYNCH of rapid mode (§2.5.6.3); or it begins a negotiation (§2.5.5.1), which goes on
 * over it without this machine. Whatever else arrives closes it; a response that belongs to no discovery under way is
 * dropped.
 */
import { setup } from 'xstate';
import {
  M_END,
  M_INVALID,
  M_NEGOTIATE,
  M_NOOP,
  M_RESPONSE,
  M_SYNCH,
  M_WAIT,
  type DecodeResult,
  type DullRefusal,
  type ResponseMessage,
  type SynchMessage,
} from '../protocol/index.js';
import type { Described } from '../runtime/index.js';

export interface ResponseConnectionPort extends Described {
  startTimer(): void;
  stopTimer(): void;
  /** Why an instance limited to one link does not take it (§2.5.2); undefined: it does. */
  refusal(message: ResponseMessage): DullRefusal | undefined;
  /** To the discovery session with this session id and initiator; counted if there is none. */
  deliver(message: ResponseMessage): void;
  /** To the discovery session with this session id, if it asked for a value; counted if there is none. */
  deliverValue(message: SynchMessage): void;
  /** A discovery under way with this session id is a request at the same time. */
  awaits(sessionId: number): boolean;
  /** The connection, and what it has brought, to the session of this id. */
  handOver(sessionId: number): void;
  close(): void;
  abort(): void;
  count(reason: string): void;
  release(): void;
}

export interface ResponseConnectionContext {
  readonly port: ResponseConnectionPort;
}

export type ResponseConnectionEvent =
  | { readonly type: 'message.response'; readonly message: ResponseMessage }
  | { readonly type: 'message.synch'; readonly message: SynchMessage }
  /** M_NEGOTIATE, M_END or M_WAIT. */
  | { readonly type: 'message.negotiation'; readonly sessionId: number }
  | { readonly type: 'message.ignored' }
  | { readonly type: 'message.refused'; readonly reason: string }
  | { readonly type: 'stream.ended' }
  | { readonly type: 'stream.closed' }
  | { readonly type: 'timer.expired' }
  | { readonly type: 'stopped' };

export const responseConnectionMachine = setup({
  types: {
    context: {} as ResponseConnectionContext,
    events: {} as ResponseConnectionEvent,
    input: {} as ResponseConnectionContext,
  },
  guards: {
    isRefused: ({ context, event }) =>
      event.type === 'message.response' && context.port.refusal(event.message) !== undefined,
    isAwaited: ({ context, event }) =>
      event.type === 'message.negotiation' && context.port.awaits(event.sessionId),
  },
  actions: {
    startTimer: ({ context }) => context.port.startTimer(),
    stopTimer: ({ context }) => context.port.stopTimer(),
    deliver: ({ context, event }) => {
      if (event.type === 'message.response') context.port.deliver(event.message);
    },
    deliverValue: ({ context, event }) => {
      if (event.type === 'message.synch') context.port.deliverValue(event.message);
    },
    handOver: ({ context, event }) => {
      if (event.type === 'message.negotiation') context.port.handOver(event.sessionId);
    },
    close: ({ context }) => context.port.close(),
    abort: ({ context }) => context.port.abort(),
    release: ({ context }) => context.port.release(),
    countRefused: ({ context, event }) => {
      if (event.type === 'message.refused') context.port.count(`response.refused.${event.reason}`);
    },
    countRefusal: ({ context, event }) => {
      if (event.type === 'message.response')
        context.port.count(`dull.${context.port.refusal(event.message)}`);
    },
    count: ({ context }, params: { reason: string }) => context.port.count(params.reason),
  },
}).createMachine({
  id: 'responseConnection',
  context: ({ input }) => input,
  initial: 'waiting',
  states: {
    waiting: {
      entry: 'startTimer',
      exit: 'stopTimer',
      on: {
        'message.response': [
          { guard: 'isRefused', target: 'done', actions: ['countRefusal', 'close'] },
          { target: 'done', actions: ['deliver', 'close'] },
        ],
        'message.synch': { target: 'done', actions: ['deliverValue', 'close'] },
        'message.negotiation': [
          { guard: 'isAwaited', target: 'done', actions: 'handOver' },
          // Of no use, or of no use any more: another answer was first.
          {
            target: 'done',
            actions: [{ type: 'count', params: { reason: 'response.unmatched' } }, 'close'],
          },
        ],
        // §2.8.13: M_NOOP is ignored, also in front of the response.
        'message.ignored': { actions: { type: 'count', params: { reason: 'response.ignored' } } },
        'message.refused': { target: 'done', actions: ['countRefused', 'close'] },
        // §2.8.5: a failed connection is no response.
        'stream.ended': {
          target: 'done',
          actions: [{ type: 'count', params: { reason: 'response.none' } }, 'close'],
        },
        'stream.closed': { target: 'done', actions: { type: 'count', params: { reason: 'response.none' } } },
        'timer.expired': {
          target: 'done',
          actions: [{ type: 'count', params: { reason: 'response.too-slow' } }, 'abort'],
        },
        stopped: { target: 'done', actions: 'abort' },
      },
    },
    done: { entry: 'release', type: 'final' },
  },
});

/** The event for one item of the stream; one table, no decision. */
export function responseEvent(decoded: DecodeResult): ResponseConnectionEvent {
  if (!decoded.ok) return { type: 'message.refused', reason: decoded.reason };
  const { message } = decoded;
  switch (message.type) {
    case M_RESPONSE:
      return { type: 'message.response', message };
    case M_SYNCH:
      return { type: 'message.synch', message };
    case M_NOOP:
    case M_INVALID:
      return { type: 'message.ignored' };
    case M_NEGOTIATE:
    case M_END:
    case M_WAIT:
      return { type: 'message.negotiation', sessionId: message.sessionId };
    default:
      return { type: 'message.refused', reason: 'message.misplaced' };
  }
}
