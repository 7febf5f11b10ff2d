/** Agents that carry out commands (`agents/serve.ts`), from the test's side. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Lab } from './netns.js';
import { type Program, startAgent, type Line } from './program.js';

export type Counts = Readonly<Record<string, number>>;

export interface Snapshot {
  readonly interfaces: readonly {
    readonly name: string;
    readonly index: number;
    readonly addresses: readonly string[];
  }[];
  readonly counters: Counts;
  readonly threads: readonly {
    readonly name: string;
    readonly state: string;
    readonly restarts: number;
    readonly queues: readonly { readonly name: string; readonly length: number; readonly limit: number }[];
    readonly actors: readonly { readonly machine: string; readonly state: string; readonly count: number }[];
  }[];
}

export class Commanded {
  #lastId = 0;

  constructor(readonly program: Program) {}

  /** Rejects with what the command rejected with. */
  async call(command: string, rest: object = {}): Promise<Line> {
    const id = ++this.#lastId;
    this.program.write(`${JSON.stringify({ id, do: command, ...rest })}\n`);
    const reply = await this.program.line((line) => line['event'] === 'reply' && line['id'] === id);
    if (reply['error'] !== undefined) {
      throw Object.assign(new Error(`${command}: ${JSON.stringify(reply['error'])}`), {
        code: reply['code'],
      });
    }
    return reply;
  }

  async status(): Promise<Snapshot> {
    return (await this.call('status')) as unknown as Snapshot;
  }

  async restarts(): Promise<Record<string, number>> {
    const { threads } = await this.status();
    return Object.fromEntries(threads.map(({ name, restarts }) => [name, restarts]));
  }

  /** A status when all queues are empty and nothing has been counted for many snapshots. */
  async quiet(): Promise<Snapshot> {
    let last = '';
    for (let same = 0; ;) {
      const now = await this.status();
      const busy = now.threads.some(({ queues }) =>
        // What waits or is under way. A cache that is full of what has come is at rest; and what has been handled is
        // confirmed with the next thing that is sent, which may be long.
        queues.some(
          ({ name, length }) => !/cache|memory|watches|unhandled|^events to /.test(name) && length > 0,
        ),
      );
      const counted = JSON.stringify(now.counters);
      same = !busy && counted === last ? same + 1 : 0;
      if (same === 30) return now;
      last = counted;
    }
  }
}

export interface EnginePlan {
  readonly interface: string;
  /** Instead of `interface`. */
  readonly interfaces?: readonly string[];
  readonly families?: readonly ('ipv6' | 'ipv4')[];
  readonly limits?: object;
  readonly hungAfterMs?: number;
}

export async function startEngine(lab: Lab, node: string, plan: EnginePlan): Promise<Commanded> {
  const program = startAgent(lab, node, 'engine', JSON.stringify(plan));
  await program.event('ready');
  return new Commanded(program);
}

export async function startRawPeer(lab: Lab, node: string, interfaceName: string): Promise<Commanded> {
  const program = startAgent(lab, node, 'raw-peer', interfaceName);
  await program.event('ready');
  return new Commanded(program);
}

/** What the counters have grown by, those that have. */
export function growth(before: Counts, after: Counts): Record<string, number> {
  const grown = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, count]) => count !== 0));
}

export function sum(counts: Counts, which: RegExp): number {
  let total = 0;
  for (const [name, count] of Object.entries(counts)) if (which.test(name)) total += count;
  return total;
}

/** Begins to watch the most memory a process occupies; returns what it occupies now, bytes. */
export function watchMemory(pid: number): number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return memory(pid, 'VmRSS');
}

/** The most memory (resident set) since {@link watchMemory}, bytes. The kernel keeps it: no peak is missed. */
export function mostMemory(pid: number): number {
  return memory(pid, 'VmHWM');
}

function memory(pid: number, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!match) throw new Error(`no ${field} of process ${pid}`);
  return Number(match[1]) * 1024;
}
