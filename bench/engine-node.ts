/**
 * An engine of the benchmarks with multicasts, which carries out commands (JSON lines): it offers and discovers
 * objectives, floods them, watches them, and tells what it counted.
 *
 *     node dist/bench/engine-node.js --interfaces IF,IF [--limits JSON]
 *
 * Prints `{"event":"ready"}` and ends with its standard input. Times are those of the monotonic clock of the machine,
 * ns as text, so that those of two processes can be compared.
 */
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { Grasp, type Asa, type Limits, type Objective } from 'anima-grasp';
import { number, say, serveCommands, text, texts, type Command } from './support/commands.js';

const { values } = parseArgs({
  options: { interfaces: { type: 'string' }, limits: { type: 'string', default: '{}' } },
});
const grasp = await Grasp.start({
  substrate: { kind: 'plain', insecure: true, interfaces: values.interfaces?.split(',') },
  limits: JSON.parse(values.limits) as Partial<Limits>,
});
const asa = await grasp.registerAsa(`bench-${process.pid}`);
const watched: [value: number, ns: string][] = [];
let flooded: Objective | undefined;

const now = (): string => process.hrtime.bigint().toString();

/** The first locator of each name, one after the other, each in one attempt. */
async function discover(command: Command): Promise<object> {
  const [loopCount, timeoutMs, paceMs] = ['loopCount', 'timeoutMs', 'paceMs'].map((key) =>
    number(command, key),
  );
  const tookMs: number[] = [];
  let failures = 0;
  for (const name of texts(command, 'names')) {
    if (paceMs) await delay(paceMs);
    const at = performance.now();
    let found = false;
    for await (const _locator of asa.discover(name, { loopCount, timeoutMs })) {
      tookMs.push(performance.now() - at);
      found = true;
      break;
    }
    if (!found) failures += 1;
  }
  return { tookMs, failures };
}

/** Floods the numbers from 0 up, and says when each left. */
async function flood(command: Command): Promise<object> {
  const [count = 0, paceMs, loopCount] = ['count', 'paceMs', 'loopCount'].map((key) => number(command, key));
  flooded ??= await asa.registerObjective({ name: text(command, 'name'), synchronize: true });
  const sent: string[] = [];
  for (let value = 0; value < count; value++) {
    if (paceMs) await delay(paceMs);
    sent.push(now());
    await asa.flood([{ objective: flooded, value, loopCount }], { ttlMs: 60_000 });
  }
  return { sent };
}

async function watch(from: Asa, name: string): Promise<void> {
  for await (const [entry] of from.watchFlood(name)) {
    if (typeof entry?.value === 'number') watched.push([entry.value, now()]);
  }
}

serveCommands(
  {
    offer: async (command) => {
      for (const name of texts(command, 'names')) {
        await asa.registerObjective({ name, negotiate: true, discoverable: true });
      }
      return {};
    },
    discover,
    flood,
    watch: (command) => {
      // Ends with the engine.
      void watch(asa, text(command, 'name')).catch(() => undefined);
      return {};
    },
    watched: () => ({ watched: watched.splice(0) }),
    /** The newest value of each name in the flood cache; null: none. */
    cached: async (command) => {
      const entries = await Promise.all(texts(command, 'names').map((name) => asa.getFlood(name)));
      return { values: entries.map(([newest]) => newest?.value ?? null) };
    },
    status: async () => {
      const { counters, threads } = await grasp.status();
      const queues = threads.flatMap((thread) => thread.queues);
      return { counters, queues };
    },
  },
  () => grasp.close(),
);
say({ event: 'ready' });
