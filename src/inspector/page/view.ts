import type { ActorView, Step } from '../model/actors.js';
import type { Model } from '../model/model.js';

/** One of the page's four views. */
export interface View {
  readonly element: HTMLElement;
  /** Brings it up to date; only called while it is shown. */
  render(): void;
  /** Everything has begun anew. */
  reset?(): void;
  stepped?(actor: ActorView, step: Step): void;
}

/** What views share. */
export interface Page {
  readonly model: Model;
  /** The node that is looked at; undefined: all. */
  node(): string | undefined;
  /** By the server's clock, ms since the epoch. */
  now(): number;
  /** Something that is shown has been chosen otherwise: render soon. */
  changed(): void;
  /** Shows another view; `pick` is what it is to show. */
  go(view: string, pick?: string): void;
}

export const reducedMotion = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches;
