import { type MessagePort, type Transferable as NodeTransferable } from 'node:worker_threads';
import type { Endpoint } from '../runtime/endpoint.js';

/** A worker_threads MessagePort as the {@link Endpoint} the actors know. */
export function portEndpoint(port: MessagePort): Endpoint {
  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer as NodeTransferable[] | undefined),
    onMessage: (handler) => void port.on('message', handler),
    onClose: (handler) => void port.on('close', handler),
    close: () => port.close(),
  };
}
