import { MessagePort } from 'node:worker_threads';
import { InlineEndpoint, type Endpoint } from '../runtime/index.js';
import { portEndpoint } from './port-endpoint.js';

/** What was handed over as an end of a channel, as an Endpoint. */
export function toEndpoint(raw: unknown): Endpoint {
  return raw instanceof MessagePort ? portEndpoint(raw) : (raw as InlineEndpoint);
}

/** Whether a value is an end of a channel and so to be moved, not copied. */
export function isPort(value: unknown): value is object {
  return value instanceof MessagePort || value instanceof InlineEndpoint;
}
