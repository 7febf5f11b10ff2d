/** An ASA's own worker: the contract between it and the thread that spawned it. */
import type { ClientControl } from '../workers/engine-control.js';
import type { Asa } from './asa.js';

/** What an ASA module's default export is called with. */
export interface AsaContext {
  /** Registered already under the name given to `spawnAsa`. */
  readonly asa: Asa;
  /** A copy of what was given to `spawnAsa`. */
  readonly data: unknown;
  /** Aborts when the ASA is to stop. */
  readonly signal: AbortSignal;
}

/** A module that can be spawned. */
export interface AsaModule {
  readonly default: (context: AsaContext) => unknown;
}

/** What the worker is started with, besides what every host gets. */
export interface AsaInit {
  readonly name: string;
  readonly handle: number;
  readonly client: string;
  /** The supervisor serves EngineControl here. */
  readonly engine: unknown;
  /** The worker serves {@link AsaThreadControl} here. */
  readonly control: unknown;
  readonly window: number;
}

export interface AsaThreadControl extends ClientControl {
  /** Imports the module; rejects if that fails or it has no default function. */
  load(href: string): Promise<void>;
  /** Calls its default export; resolves with what that returns. */
  run(data: unknown): Promise<unknown>;
  /** Aborts its signal. */
  abort(): void;
}
