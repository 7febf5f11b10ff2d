import { type MessagePort, type Transferable as NodeTransferable } from 'node:worker_threads';
import type { Endpoint } from '../runtime/endpoint.js';

/** A worker_threads MessagePort as the {@link Endpoint} the actors know. */
export function portEndpoint(port: MessagePort): Endpoint {
  // The event comes once, perhaps before anybody asks.
  let closed = false;
  port.once('close', () => (closed = true));
  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer as NodeTransferable[] | undefined),
    onMessage: (handler) => void port.on('message', handler),
    onClose: (handler) => {
      if (closed) setImmediate(handler);
      else port.once('close', handler);
    },
    close: () => port.close(),
  };
}
