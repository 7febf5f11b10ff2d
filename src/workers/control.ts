/**
 * Control calls between threads, on comlink. Two things comlink lacks are added here: errors keep their class and
 * code (they cross as data), and calls to a thread that has died are rejected instead of never settling.
 */
import * as Comlink from 'comlink';
import { ErrorCode, GraspError, type PlainGraspError } from '../protocol/index.js';
import type { Endpoint } from '../runtime/index.js';

/** The methods of an interface that can be called from another thread: results arrive as promises. */
export type Remote<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
};

/** comlink names its transfer lists by a type of browsers. */
type Transfers = Parameters<typeof Comlink.transfer>[1];

type Outcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: WireError };

/** An error on its way through structuredClone. */
type WireError =
  | { readonly kind: 'grasp'; readonly error: PlainGraspError }
  | {
      readonly kind: 'other';
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
    };

interface Invoker {
  invoke(method: string, args: unknown[]): Promise<Outcome>;
}

/** Lets the other end of `endpoint` call the methods of `target`. */
export function serve(target: object, endpoint: Endpoint, isPort: (value: unknown) => value is object): void {
  const methods = target as Record<string, (...args: unknown[]) => unknown>;
  const invoker: Invoker = {
    async invoke(method, args) {
      try {
        const value = await methods[method]!.apply(target, args);
        const outcome: Outcome = { ok: true, value };
        return isPort(value) ? Comlink.transfer(outcome, [value] as Transfers) : outcome;
      } catch (error) {
        return { ok: false, error: toWire(error) };
      }
    },
  };
  Comlink.expose(invoker, comlinkEndpoint(endpoint).shown);
}

/** The calling end. */
export interface RemoteHandle<T> {
  readonly calls: Remote<T>;
  /** Rejects what is pending and every later call, and lets go of the endpoint. */
  lose(error: GraspError): void;
}

/** Makes the target served at the other end of `endpoint` callable. */
export function connect<T extends object>(
  endpoint: Endpoint,
  isPort: (value: unknown) => value is object,
): RemoteHandle<T> {
  const { shown, letGo } = comlinkEndpoint(endpoint);
  const invoker = Comlink.wrap<Invoker>(shown);
  const pending = new Set<(error: GraspError) => void>();
  let lost: GraspError | undefined;
  const lose = (error: GraspError): void => {
    lost ??= error;
    for (const reject of [...pending]) reject(lost);
    pending.clear();
    letGo();
  };
  endpoint.onClose(() => lose(new GraspError(ErrorCode.engineLost)));
  const call = (method: string, args: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (lost) return reject(lost);
      pending.add(reject);
      const ports = args.filter(isPort) as unknown as Transfers;
      invoker.invoke(method, ports.length > 0 ? Comlink.transfer(args, ports) : args).then(
        (outcome) => {
          pending.delete(reject);
          if (outcome.ok) resolve(outcome.value);
          else reject(fromWire(outcome.error));
        },
        (error: unknown) => {
          pending.delete(reject);
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  const calls = new Proxy(Object.create(null) as object, {
    get: (_, method) =>
      // A promise resolved with this proxy must not take it for a thenable.
      typeof method === 'string' && method !== 'then'
        ? (...args: unknown[]) => call(method, args)
        : undefined,
  });
  return { calls: calls as Remote<T>, lose };
}

function toWire(error: unknown): WireError {
  if (GraspError.is(error)) return { kind: 'grasp', error: error.toPlain() };
  if (error instanceof Error) {
    return { kind: 'other', name: error.name, message: error.message, stack: error.stack };
  }
  return { kind: 'other', name: 'Error', message: String(error), stack: undefined };
}

function fromWire(wire: WireError): Error {
  if (wire.kind === 'grasp') return GraspError.fromPlain(wire.error);
  const error = new Error(wire.message);
  error.name = wire.name;
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}

/**
 * Shows an {@link Endpoint} to comlink in the form it wants. Comlink holds what it is shown until the proxy made of it
 * is collected; if that leads back to the proxy, as an inline endpoint does through its peer, neither ever is, nor the
 * whole engine behind them. `letGo` cuts the way.
 */
function comlinkEndpoint(endpoint: Endpoint): { shown: Comlink.Endpoint; letGo: () => void } {
  const listeners = new Set<(event: { data: unknown }) => void>();
  let started = false;
  let held: Endpoint | undefined = endpoint;
  const letGo = (): void => {
    held = undefined;
    listeners.clear();
  };
  const shown = {
    postMessage: (message: unknown, transfer?: object[]) => held?.postMessage(message, transfer),
    addEventListener: (_type: string, listener: unknown) => {
      if (!held) return;
      listeners.add(listener as (event: { data: unknown }) => void);
      if (started) return;
      started = true;
      held.onMessage((data) => {
        for (const each of [...listeners]) each({ data });
      });
    },
    removeEventListener: (_type: string, listener: unknown) => {
      listeners.delete(listener as (event: { data: unknown }) => void);
    },
  };
  return { shown: shown as unknown as Comlink.Endpoint, letGo };
}
