/** An office on another link that floods the rates of the day, for whoever watches: the bank relays them to the street. */
import type { Clock, Grasp } from '../api.js';
import { pause } from '../command.js';
import { Dice } from './prng.js';

const OBJECTIVE = 'Rates';
/** ms between two floods, and how long each is valid. */
const EVERY_MS = 7_000;
const VALID_MS = 20_000;

/** Floods until `signal` aborts. Rejects what flooding rejects. */
export async function floodRates(
  engine: Grasp,
  seed: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const asa = await engine.registerAsa('Office');
  const objective = await asa.registerObjective({ name: OBJECTIVE, synchronize: true, loopCount: 3 });
  const dice = new Dice(seed, 0x0ff1ce);
  while (!signal.aborted) {
    const value = ['USD', dice.between(55, 65) / 100];
    await asa.flood([{ objective, value, locator: null }], { ttlMs: VALID_MS });
    await pause(clock, EVERY_MS, signal);
  }
}
