/**
 * One M_RESPONSE on its way: RFC 8990 §2.5.4.4 and §2.8.5. A discovery that came by UDP is answered over TCP to
 * its source address and port; one message, then close. Failure is silence: nobody waits for it. When the message has been
 * sent, its place is free: a peer that does not close its side must not hold one.
 */
import { setup } from 'xstate';
import type { Described } from '../runtime/index.js';

export interface DiscoveryResponsePort extends Described {
  connect(): void;
  /** Sends the message and ends this side of the connection. */
  send(): void;
  count(reason: string): void;
  /** Frees its place among the responses in flight. */
  release(): void;
}

export interface DiscoveryResponseContext {
  readonly port: DiscoveryResponsePort;
}

export type DiscoveryResponseEvent =
  { readonly type: 'stream.connected' } | { readonly type: 'stream.failed' } | { readonly type: 'stopped' };

export const discoveryResponseMachine = setup({
  types: {
    context: {} as DiscoveryResponseContext,
    events: {} as DiscoveryResponseEvent,
    input: {} as DiscoveryResponseContext,
  },
  actions: {
    connect: ({ context }) => context.port.connect(),
    send: ({ context }) => context.port.send(),
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
        'stream.connected': {
          target: 'done',
          actions: ['send', { type: 'count', params: { reason: 'response.sent' } }],
        },
        'stream.failed': {
          target: 'done',
          actions: { type: 'count', params: { reason: 'response.unreachable' } },
        },
        stopped: { target: 'done' },
      },
    },
    done: { entry: 'release', type: 'final' },
  },
});
