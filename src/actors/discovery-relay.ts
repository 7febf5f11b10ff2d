/**
 * Discovery relay: RFC 8990 §2.5.4.4.
 *
 * One per relayed discovery: sent on from the port P of every other interface, then every M_RESPONSE that comes for
 * it is passed back at once (C-07) to where the discovery came from, until 100 ms × its remaining loop count are over.
 * Whoever asked waits 100 ms longer, so that what arrives last is passed back in time.
 */
import { setup } from 'xstate';
import type { ResponseMessage, SynchMessage } from '../protocol/index.js';
import type { Described } from '../runtime/index.js';

export interface DiscoveryRelayPort extends Described {
  /** The discovery as it came, with its loop count − 1, on every other interface. */
  send(): void;
  startTimer(): void;
  stopTimer(): void;
  /** Caches what a response says and sends it back as O_DIVERT. */
  passBack(message: ResponseMessage, interfaceName: string): void;
  /** Sends the value back that came in place of a response (§2.5.6.3). */
  passValueBack(message: SynchMessage): void;
  count(reason: string): void;
  /** Nothing more will be passed back. */
  release(): void;
}

export interface DiscoveryRelayContext {
  readonly port: DiscoveryRelayPort;
  /** The interface the discovery came by. */
  readonly interface: string;
}

export type DiscoveryRelayEvent =
  | { readonly type: 'response.received'; readonly message: ResponseMessage; readonly interface: string }
  | { readonly type: 'value.received'; readonly message: SynchMessage; readonly interface: string }
  | { readonly type: 'timer.expired' }
  /** No interface took it: nobody can answer. */
  | { readonly type: 'send.failed' }
  /** Others need its place, security is lost, or the engine ends. */
  | { readonly type: 'stopped' };

export const discoveryRelayMachine = setup({
  types: {
    context: {} as DiscoveryRelayContext,
    events: {} as DiscoveryRelayEvent,
    input: {} as DiscoveryRelayContext,
  },
  guards: {
    /** It was not sent there, so nobody there answers it. */
    fromIncomingInterface: ({ context, event }) =>
      (event.type === 'response.received' || event.type === 'value.received') &&
      event.interface === context.interface,
  },
  actions: {
    send: ({ context }) => context.port.send(),
    startTimer: ({ context }) => context.port.startTimer(),
    stopTimer: ({ context }) => context.port.stopTimer(),
    passBack: ({ context, event }) => {
      if (event.type === 'response.received') context.port.passBack(event.message, event.interface);
    },
    passValueBack: ({ context, event }) => {
      if (event.type === 'value.received') context.port.passValueBack(event.message);
    },
    release: ({ context }) => context.port.release(),
    count: ({ context }, params: { reason: string }) => context.port.count(params.reason),
  },
}).createMachine({
  id: 'discoveryRelay',
  context: ({ input }) => input,
  initial: 'collecting',
  states: {
    collecting: {
      entry: ['send', 'startTimer'],
      exit: 'stopTimer',
      on: {
        'response.received': [
          {
            guard: 'fromIncomingInterface',
            actions: { type: 'count', params: { reason: 'relay.response.wrong-side' } },
          },
          { actions: 'passBack' },
        ],
        'value.received': [
          {
            guard: 'fromIncomingInterface',
            actions: { type: 'count', params: { reason: 'relay.response.wrong-side' } },
          },
          { actions: 'passValueBack' },
        ],
        'timer.expired': { target: 'done' },
        'send.failed': { target: 'done' },
        stopped: { target: 'done' },
      },
    },
    done: { entry: 'release', type: 'final' },
  },
});
