/**
 * One M_RESPONSE on its way: RFC 8990 §2.5.4.4 and §2.8.5. A discovery that came by UDP is answered over TCP to
 * its source address and port; one message, then close. Failure is silence: nobody waits for it.
 */
import { setup } from 'xstate';
import type { Described } from '../runtime/index.js';

export interface DiscoveryResponsePort extends Described {
  connect(): void;
  /** Sends the message and ends the connection. */
  send(): void;
  abort(): void;
  count(reason: string): void;
  /** Frees its place among the responses in flight. */
  release(): void;
}

export interface DiscoveryResponseContext {
  readonly port: DiscoveryResponsePort;
}

export type DiscoveryResponseEvent =
  | { readonly type: 'stream.connected' }
  | { readonly type: 'stream.failed' }
  | { readonly type: 'stream.closed' }
  | { readonly type: 'timer.expired' }
  | { readonly type: 'stopped' };

export const discoveryResponseMachine = setup({
  types: {
    context: {} as DiscoveryResponseContext,
    events: {} as DiscoveryResponseEvent,
    input: {} as DiscoveryResponseContext,
  },
  actions: {
    connect: ({ context }) => context.port.connect(),
    send: ({ context }) => context.port.send(),
    abort: ({ context }) => context.port.abort(),
    release: ({ context }) => context.port.release(),
    count: ({ context }, params: { reason: string }) => context.port.count(params.reason),
  },
}).createMachine({
  id: 'discoveryResponse',
  context: ({ input }) => input,
  initial: 'connecting',
  states: {
    connecting: {
      entry: 'connect',
      on: {
        'stream.connected': { target: 'closing', actions: 'send' },
        'stream.failed': {
          target: 'done',
          actions: { type: 'count', params: { reason: 'response.unreachable' } },
        },
        stopped: { target: 'done' },
      },
    },
    closing: {
      on: {
        'stream.closed': { target: 'done', actions: { type: 'count', params: { reason: 'response.sent' } } },
        // A peer that never closes its side must not hold a place for ever.
        'timer.expired': {
          target: 'done',
          actions: ['abort', { type: 'count', params: { reason: 'response.not-closed' } }],
        },
        stopped: { target: 'done', actions: 'abort' },
      },
    },
    done: { entry: 'release', type: 'final' },
  },
});
