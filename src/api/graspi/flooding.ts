/** flood, get_flood, expire_flood: RFC 8991 §2.3.6, api.md §4.16–4.18. */
import { F_DISC } from '../../protocol/index.js';
import { copyOf, tagged_objective } from './classes.js';
import { misuse } from './keywords.js';
import { toEngineLocator, toOlder, type Interfaces } from './locators.js';
import { checkedObjective, type State } from './state.js';
import { synchronizable } from './synchronization.js';
import { encoded, fromEngine } from './values.js';

/** All or nothing; `given` is one list (RFC) or one tagged objective after the other (older API). */
export async function flood(
  state: State,
  interfaces: Interfaces,
  call: { handle: unknown; ttl: unknown; given: readonly unknown[] },
): Promise<void> {
  const record = state.asa(call.handle);
  if (typeof call.ttl !== 'number') throw misuse('the ttl of a flood must be given; 0: for ever');
  const ttlMs = call.ttl;
  const items = call.given
    .flat()
    .map(tagged)
    .map(({ objective, source }) => {
      const offered = synchronizable(objective);
      const own = record.registered(offered.name).objective;
      const { loop_count: loopCount, value } = offered;
      return { objective: own, value: encoded(value), loopCount, source };
    });
  const floods = await Promise.all(
    items.map(async ({ source, ...item }) => ({
      ...item,
      locator: source === null ? null : await toEngineLocator(source, interfaces),
    })),
  );
  await record.asa.flood(floods, { ttlMs });
}

/** Every unexpired copy, newest first. */
export async function getFlood(
  state: State,
  interfaces: Interfaces,
  handle: unknown,
  given: unknown,
): Promise<tagged_objective[]> {
  const record = state.asa(handle);
  const asked = synchronizable(given);
  state.askedAbout(asked.name);
  const found = await record.asa.getFlood(asked.name);
  return Promise.all(
    found.map(async (each) => {
      const copy = copyOf(asked, {
        discoverable: (each.flags & F_DISC) !== 0,
        loop_count: each.loopCount,
        value: fromEngine(each.value),
      });
      return new tagged_objective(copy, each.locator && (await toOlder(each.locator, interfaces)));
    }),
  );
}

/** Forgets the entry with this name and tag; none there: no error. */
export async function expireFlood(
  state: State,
  interfaces: Interfaces,
  handle: unknown,
  given: unknown,
): Promise<void> {
  const record = state.asa(handle);
  const { objective, source } = tagged(given);
  const { name } = checkedObjective(objective);
  const locator = source === null ? null : await toEngineLocator(source, interfaces);
  await record.asa.expireFlood({ name, locator });
}

function tagged(given: unknown): tagged_objective {
  if (given instanceof tagged_objective) return given;
  throw misuse('what is flooded is a tagged_objective');
}
