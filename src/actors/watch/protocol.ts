/** What a watcher of a host and who asked for it say to each other over a data port. */
import type { InspectionItem } from '../inspection-items.js';
import type { DiagnosticEvent, DiagnosticName } from './diagnostic-events.js';

export interface InspectionSpec {
  readonly kind: 'inspection';
  readonly machines?: readonly string[] | undefined;
  readonly objective?: string | undefined;
  /** Plain address. */
  readonly peer?: string | undefined;
  readonly session?: number | undefined;
  /** 0 … 1 */
  readonly share: number;
  readonly maxPerSecond: number;
  /** Items that may wait in a thread for a reader that is behind. */
  readonly hold: number;
}

export interface DiagnosticsSpec {
  readonly kind: 'diagnostics';
  readonly events: readonly DiagnosticName[];
  readonly hold: number;
}

export type WatchSpec = InspectionSpec | DiagnosticsSpec;

/** Its reader can take so many more items. */
export interface ToWatch {
  readonly more: number;
}

/** Counts are what has been added since the report before. */
export interface FromWatch {
  readonly items: readonly (InspectionItem | DiagnosticEvent)[];
  /** Short-lived actors that met the conditions, and how many of them were chosen. */
  readonly seen: number;
  readonly chosen: number;
  readonly unsampled: number;
  readonly rate: number;
  readonly slow: number;
}
