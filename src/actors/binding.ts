/**
 * Binding: a socket of one interface that is kept open as long as the interface is there. The multicast listener
 * (RFC 8990 §2.6: UDP 7017, joined to the group) and the discovery port (§2.8.4: UDP and TCP on one port) are
 * each one of these per interface. What fails is opened again: group membership and source port have to be
 * re-established after interface or address changes (§2.2).
 */
import { setup } from 'xstate';
import type { Described } from '../runtime/index.js';

export interface BindingPort extends Described {
  open(): void;
  close(): void;
  startRetryTimer(): void;
  stopRetryTimer(): void;
  count(reason: string): void;
}

export interface BindingContext {
  readonly port: BindingPort;
}

export type BindingEvent =
  | { readonly type: 'opened' }
  | { readonly type: 'failed' }
  /** The socket reported an error later: interface or address gone. */
  | { readonly type: 'lost' }
  | { readonly type: 'timer.expired' }
  /** The interface's addresses changed: what is bound may be stale. */
  | { readonly type: 'interface.changed' }
  | { readonly type: 'stop' };

export const bindingMachine = setup({
  types: {
    context: {} as BindingContext,
    events: {} as BindingEvent,
    input: {} as BindingContext,
  },
  actions: {
    open: ({ context }) => context.port.open(),
    close: ({ context }) => context.port.close(),
    startRetryTimer: ({ context }) => context.port.startRetryTimer(),
    stopRetryTimer: ({ context }) => context.port.stopRetryTimer(),
    count: ({ context }, params: { reason: string }) => context.port.count(params.reason),
  },
}).createMachine({
  id: 'binding',
  context: ({ input }) => input,
  initial: 'opening',
  states: {
    opening: {
      entry: 'open',
      on: {
        opened: { target: 'open' },
        failed: { target: 'retrying', actions: { type: 'count', params: { reason: 'binding.failed' } } },
        stop: { target: 'closed' },
      },
    },
    open: {
      on: {
        lost: { target: 'retrying', actions: { type: 'count', params: { reason: 'binding.lost' } } },
        stop: { target: 'closed' },
      },
    },
    retrying: {
      entry: 'startRetryTimer',
      exit: 'stopRetryTimer',
      on: {
        'timer.expired': { target: 'opening' },
        // No need to wait for the timer when the interface has just got its address.
        'interface.changed': { target: 'opening' },
        stop: { target: 'closed' },
      },
    },
    closed: { entry: 'close', type: 'final' },
  },
});
