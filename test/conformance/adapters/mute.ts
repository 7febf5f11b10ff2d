/** An adapter of an engine that is not there: says yes to everything and does nothing. For the suite's own tests. */
import { NotSupported, serveAdapter } from './serve.js';

const nothing = (): object => ({});
let handle = 0;

serveAdapter(
  {
    hello: () => ({ protocol: 1, name: 'mute', version: '0', capabilities: ['restart'] }),
    start: nothing,
    stopAll: nothing,
    registerAsa: () => ({ handle: ++handle }),
    registerObjective: nothing,
    requestNegotiate: () => {
      throw new NotSupported('no requests');
    },
    listenNegotiate: (_, event) => {
      event('listening');
      return new Promise<object>(() => undefined);
    },
  },
  async () => undefined,
);
