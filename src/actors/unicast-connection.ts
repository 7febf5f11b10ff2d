/**
 * One stream to port 7017 of the node: RFC 8990 §2.5.4.2, §2.6. A discovery on it is treated as if it had been
 * multicast and answered on the same stream, which ends then: with all answers, if it is relayed. What else arrives is
 * refused by the rules for unicast messages (§2.8.2, wire.md §12). Sessions have ports of their own.
 */
import { setup } from 'xstate';
import {
  M_DISCOVERY,
  M_INVALID,
  M_NOOP,
  M_REQ_NEG,
  M_REQ_SYN,
  type DecodeResult,
  type DiscoveryMessage,
} from '../protocol/index.js';
import type { Described } from '../runtime/index.js';

export interface UnicastConnectionPort extends Described {
  startTimer(): void;
  stopTimer(): void;
  /** To the handler of discoveries, which answers by `answer` events. */
  deliver(message: DiscoveryMessage, bytes: Uint8Array): void;
  send(bytes: Uint8Array): void;
  /** M_INVALID with this session id, about this. */
  sendInvalid(sessionId: number, about: string): void;
  close(): void;
  abort(): void;
  count(reason: string): void;
  release(): void;
}

export interface UnicastConnectionContext {
  readonly port: UnicastConnectionPort;
}

export type UnicastConnectionEvent =
  | { readonly type: 'message.discovery'; readonly message: DiscoveryMessage; readonly bytes: Uint8Array }
  /** M_NOOP (§2.8.13). */
  | { readonly type: 'message.ignored' }
  /** `sessionId`: M_INVALID may be the answer. */
  | {
      readonly type: 'message.refused';
      readonly reason: string;
      readonly sessionId: number | undefined;
    }
  | { readonly type: 'answer'; readonly bytes: Uint8Array }
  /** No (further) answer will come. */
  | { readonly type: 'answered' }
  | { readonly type: 'stream.ended' }
  | { readonly type: 'stream.closed' }
  | { readonly type: 'timer.expired' }
  | { readonly type: 'stopped' };

export const unicastConnectionMachine = setup({
  types: {
    context: {} as UnicastConnectionContext,
    events: {} as UnicastConnectionEvent,
    input: {} as UnicastConnectionContext,
  },
  guards: {
    hasSessionId: ({ event }) => event.type === 'message.refused' && event.sessionId !== undefined,
  },
  actions: {
    startTimer: ({ context }) => context.port.startTimer(),
    stopTimer: ({ context }) => context.port.stopTimer(),
    deliver: ({ context, event }) => {
      if (event.type === 'message.discovery') context.port.deliver(event.message, event.bytes);
    },
    send: ({ context, event }) => {
      if (event.type === 'answer') context.port.send(event.bytes);
    },
    sendInvalid: ({ context, event }) => {
      if (event.type === 'message.refused' && event.sessionId !== undefined)
        context.port.sendInvalid(event.sessionId, event.reason);
    },
    countRefused: ({ context, event }) => {
      if (event.type === 'message.refused') context.port.count(`unicast.refused.${event.reason}`);
    },
    close: ({ context }) => context.port.close(),
    abort: ({ context }) => context.port.abort(),
    release: ({ context }) => context.port.release(),
    count: ({ context }, params: { reason: string }) => context.port.count(params.reason),
  },
}).createMachine({
  id: 'unicastConnection',
  context: ({ input }) => input,
  initial: 'waiting',
  states: {
    waiting: {
      entry: 'startTimer',
      exit: 'stopTimer',
      on: {
        'message.discovery': {
          target: 'answering',
          actions: [{ type: 'count', params: { reason: 'unicast.discovery' } }, 'deliver'],
        },
        'message.ignored': { actions: { type: 'count', params: { reason: 'unicast.ignored' } } },
        'message.refused': [
          // §2.8.12: about a message that was understood so far that it has a session id.
          { guard: 'hasSessionId', target: 'done', actions: ['countRefused', 'sendInvalid', 'close'] },
          { target: 'done', actions: ['countRefused', 'close'] },
        ],
        'stream.ended': {
          target: 'done',
          actions: [{ type: 'count', params: { reason: 'unicast.none' } }, 'close'],
        },
        'stream.closed': { target: 'done', actions: { type: 'count', params: { reason: 'unicast.none' } } },
        'timer.expired': {
          target: 'done',
          actions: [{ type: 'count', params: { reason: 'unicast.too-slow' } }, 'abort'],
        },
        stopped: { target: 'done', actions: 'abort' },
      },
    },
    // The peer may have finished its side: it has said what it had to say.
    answering: {
      on: {
        answer: { actions: 'send' },
        answered: { target: 'done', actions: 'close' },
        'stream.closed': { target: 'done' },
        stopped: { target: 'done', actions: 'abort' },
      },
    },
    done: { entry: 'release', type: 'final' },
  },
});

/** The event for one item of the stream; one table, no decision. */
export function unicastEvent(decoded: DecodeResult, bytes: Uint8Array): UnicastConnectionEvent {
  if (!decoded.ok) {
    const { reason, kind, messageType } = decoded;
    // A malformed item, or an M_INVALID, is never answered. For a request nobody listens here: closed without a word.
    const silent =
      kind === 'malformed' ||
      messageType === M_INVALID ||
      messageType === M_REQ_NEG ||
      messageType === M_REQ_SYN;
    return { type: 'message.refused', reason, sessionId: silent ? undefined : decoded.sessionId };
  }
  const { message } = decoded;
  switch (message.type) {
    case M_DISCOVERY:
      return { type: 'message.discovery', message, bytes };
    case M_NOOP:
      return { type: 'message.ignored' };
    default:
      return {
        type: 'message.refused',
        reason: 'message.misplaced',
        sessionId: message.type === M_INVALID ? undefined : message.sessionId,
      };
  }
}
