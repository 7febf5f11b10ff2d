/** mess_check and dump_all: what the engine refused, and what it holds, for people. */
import { REFUSAL_REASONS } from '../../protocol/index.js';
import type { TimerId } from '../../runtime/index.js';
import type { EngineStatus } from '../../workers/engine-control.js';
import type { asa_locator, tagged_objective } from './classes.js';
import { failureOf } from './codes.js';
import { toOlder, type Interfaces } from './locators.js';
import { getFlood } from './flooding.js';
import { objective } from './classes.js';
import type { State } from './state.js';
import type { Transcript } from './transcript.js';

/** ms between two looks at the engine's counters while `mess_check` is on. */
const LOOK_MS = 1000;

/** Message syntax diagnostics: every kind of refused message is reported with its reason, at most once a second. */
export class SyntaxCheck {
  readonly #state: State;
  readonly #transcript: Transcript;
  #timer: TimerId | undefined;
  #on = false;
  #seen: Readonly<Record<string, number>> = {};

  constructor(state: State, transcript: Transcript) {
    this.#state = state;
    this.#transcript = transcript;
  }

  get on(): boolean {
    return this.#on;
  }

  set on(on: boolean) {
    this.#on = on;
    this.follow();
  }

  /** Starts looking if it is wanted and the engine runs. */
  follow(): void {
    if (this.#state.running && this.#on && !this.#timer) this.#wait();
    else if (!this.#on) this.stop();
  }

  stop(): void {
    if (this.#timer && this.#state.running) this.#state.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    this.#timer = this.#state.clock.setTimeout(() => void this.#look(), LOOK_MS);
  }

  async #look(): Promise<void> {
    let counters: Readonly<Record<string, number>>;
    try {
      ({ counters } = await this.#state.grasp.status());
    } catch (error) {
      // The engine was closed meanwhile: there is nothing more to look at.
      this.#state.lastError = failureOf(error);
      this.#timer = undefined;
      return;
    }
    for (const [name, count] of Object.entries(counters)) {
      const more = count - (this.#seen[name] ?? 0);
      if (more > 0 && isRefusal(name)) this.#transcript.print([`message refused: ${name}, ${more} times`]);
    }
    this.#seen = counters;
    if (this.#timer && this.#state.running) this.#wait();
  }
}

function isRefusal(counter: string): boolean {
  return (
    counter.includes('.refused.') ||
    counter.endsWith('.malformed') ||
    REFUSAL_REASONS.some((reason) => counter === reason || counter.endsWith(`.${reason}`))
  );
}

/** What `dump_all` prints, as data. */
export interface dump {
  readonly status: EngineStatus;
  /** Cached locators by objective: of those that were registered or asked for here. */
  readonly discovered: Readonly<Record<string, readonly asa_locator[]>>;
  readonly flooded: Readonly<Record<string, readonly tagged_objective[]>>;
}

/** @param partial objectives and floods only, as in the prototype */
export async function dumpAll(
  state: State,
  interfaces: Interfaces,
  transcript: Transcript,
  partial: boolean,
): Promise<dump> {
  const status = await state.grasp.status();
  const discovered: Record<string, asa_locator[]> = {};
  const flooded: Record<string, tagged_objective[]> = {};
  const [first] = state.asas.values();
  if (first && status.security !== 'none') {
    for (const name of [...state.names]) {
      const found = await first.asa.discover(name, { timeoutMs: 0 });
      discovered[name] = await Promise.all(found.map((each) => toOlder(each, interfaces)));
      const asked = new objective(name);
      asked.synch = true;
      flooded[name] = await getFlood(state, interfaces, first.asa.handle, asked);
    }
  }
  const say = (...items: unknown[]): void => transcript.print(items);
  if (!partial) {
    say('Security:', status.security, '; threads:', status.threads.length);
    for (const each of status.interfaces) {
      say('Interface', each.name, each.index, each.linkLocal ?? '', ...each.addresses);
    }
    say('ASAs:', status.asas.length);
    for (const each of status.asas) say(' ', each.name, 'handle', each.handle, 'in', each.thread);
  }
  say('Objectives:', status.objectives.length);
  for (const { name, asas, negotiate, synchronize, dryRun, listening } of status.objectives) {
    const ports = listening.map(({ port }) => port);
    say(' ', name, 'of', asas.join(', '), { neg: negotiate, synch: synchronize, dry: dryRun, ports });
  }
  if (!partial) {
    say('Discovered:');
    for (const [name, found] of Object.entries(discovered)) {
      for (const each of found) {
        say(' ', name, each.locator, each.protocol, each.port, {
          diverted: each.diverted,
          expire: each.expire,
        });
      }
    }
  }
  say('Flooded:');
  for (const [name, found] of Object.entries(flooded)) {
    for (const { objective: each, source } of found) {
      say(' ', name, each.loop_count, each.value, 'source:', source?.locator ?? 'none', source?.port ?? '');
    }
  }
  if (!partial) {
    say('Actors:');
    for (const { name, actors } of status.threads) {
      for (const { machine, state: where, count } of actors) say(' ', name, machine, where, count);
    }
  }
  return { status, discovered, flooded };
}
