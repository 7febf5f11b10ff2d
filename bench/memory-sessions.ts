/** What a live session costs: the difference that many of them make, divided by their number. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Lab } from './lab.js';
import type { Placement } from './placements.js';
import { takeTurns } from './support/contest.js';
import { script, type Program } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import { startEngineClient, startEngineServer, type EngineOptions } from './support/sessions.js';

export interface Held {
  readonly rssMb: number;
  readonly heapMb: number;
}

interface Sides {
  readonly client: Program;
  readonly server: Program;
}

const CONCURRENCY = 64;
/** Opened and closed first, so that the code is compiled. */
const WARM_UP = 2_000;
/** Streams that the peer has closed linger for a moment. */
const SETTLE_MS = 2_500;

async function difference({ client, server }: Sides, sessions: number): Promise<Sample> {
  const held = async (): Promise<[Held, Held]> => {
    await delay(SETTLE_MS);
    return [await client.ask<Held>('memory'), await server.ask<Held>('memory')];
  };
  const fill = (count: number): Promise<Sample> =>
    client.ask<Sample>('open', { count, concurrency: CONCURRENCY });
  const release = (): Promise<Sample> => client.ask<Sample>('release', { concurrency: CONCURRENCY });

  const runs = [await fill(WARM_UP), await release()];
  const before = await held();
  runs.push(await fill(sessions));
  const during = await held();
  runs.push(await release());
  const kb = (side: 0 | 1, key: keyof Held): number =>
    ((during[side][key] - before[side][key]) * 1024) / sessions;
  return {
    failures: runs.reduce((sum, { failures }) => sum + failures, 0),
    reasons: Object.assign({}, ...runs.map(({ reasons }) => reasons)) as Record<string, number>,
    measures: {
      heapKb: Math.max(kb(0, 'heapMb'), kb(1, 'heapMb')),
      rssKb: Math.max(kb(0, 'rssMb'), kb(1, 'rssMb')),
      initiatorHeapKb: kb(0, 'heapMb'),
      responderHeapKb: kb(1, 'heapMb'),
      initiatorRssKb: kb(0, 'rssMb'),
      responderRssKb: kb(1, 'rssMb'),
    },
  };
}

async function engineSides(lab: Lab, options: EngineOptions): Promise<Sides> {
  const { program, port } = await startEngineServer(lab, options);
  return { server: program, client: await startEngineClient(lab, options, port) };
}

async function floorSides(lab: Lab): Promise<Sides> {
  const args = ['--expose-gc', script('floors/connections.js')];
  const server = lab.server.start('floor server', [...args, 'server', lab.server.address]);
  const port = await server.number('port');
  const client = lab.client.start('floor client', [...args, 'client', lab.server.address, `${port}`]);
  await client.next();
  return { client, server };
}

export async function perSession(
  lab: Lab,
  options: { readonly placement: Placement; readonly sessions: number; readonly repeats: number },
): Promise<Result> {
  const { placement, sessions, repeats } = options;
  // Where the ASA has a worker of its own, its sessions are there, and so is the heap that is measured. In placement
  // `main` they are in a thread whose heap is not seen from outside: there only the resident size tells.
  const measure = placement === 'main' ? 'rssKb' : 'heapKb';
  const limits = { sessions: 2 * sessions, pendingConnections: 2 * sessions };
  const fresh = (open: () => Promise<Sides>) => async (): Promise<Sample> => {
    const sides = await open();
    const sample = await difference(sides, sessions);
    await Promise.all([sides.client.end(), sides.server.end()]);
    return sample;
  };
  const engine: EngineOptions = { work: 'held', placement, limits, exposeGc: true };
  const contenders = {
    floor: fresh(() => floorSides(lab)),
    engine: fresh(() => engineSides(lab, engine)),
  };
  const samples = await takeTurns(contenders, repeats, measure);
  return toResult(
    {
      benchmark: 'memory',
      question: 'How much memory does a live session take, beside an open connection?',
      variant: `per session, ${placement}`,
      settings: { placement, sessions },
      lab: lab.kind,
      measure,
      better: 'lower',
    },
    { engine: samples['engine'] ?? [], floor: samples['floor'] ?? [] },
  );
}
