/** Runs rows: several labs at once, each with an adapter of its own in E's namespace. */
import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Adapter, CallFailed, Engine, Unsupported, type Hello } from './adapter.js';
import { T } from './context.js';
import { RowLab } from './lab.js';
import { Violation } from './peer.js';
import { requirements, type Requirement } from './requirements.js';
import { closedRows, definedRows, type Row } from './rows.js';
import { Journal, Notice, now, setPatience } from './waiting.js';
import './rows/index.js';

export interface SuiteOptions {
  /** `anima-grasp` (default), `graspy`, or the path of an adapter program. */
  readonly adapter?: string | undefined;
  /** The command that starts the adapter, instead. */
  readonly command?: readonly string[] | undefined;
  /** Leaves out rows that take more than 5 s. */
  readonly quick?: boolean | undefined;
  /** Only these rows: ids, or beginnings of ids that end in `*`. */
  readonly only?: readonly string[] | undefined;
  /** Labs at work at the same time; default 4. Slow rows, which wait most of the time, have as many again. */
  readonly jobs?: number | undefined;
  /** ms of a silence; default 1000. */
  readonly silenceMs?: number | undefined;
  /** How much longer everything may take: for a machine that is busy with other things. Default 1. */
  readonly patience?: number | undefined;
  /** Hears of each row as it ends. */
  readonly onResult?: ((result: RowResult, done: number, of: number) => void) | undefined;
}

export type RowStatus = 'passed' | 'failed' | 'notApplicable';

export interface RowResult {
  readonly id: string;
  readonly status: RowStatus;
  /** Why it failed or does not apply, and what was seen; '' if it passed. */
  readonly reason: string;
  readonly level: string;
  readonly ms: number;
}

export interface SuiteResult {
  readonly engine: { readonly name: string; readonly version: string };
  readonly summary: { readonly passed: number; readonly failed: number; readonly notApplicable: number };
  /** In the order of the requirements. */
  readonly rows: readonly RowResult[];
  /** Rows that `quick` left out; they are in neither of the others. */
  readonly skipped: readonly string[];
  /** Whether the adapter's clock was advanced instead of waiting. */
  readonly clock: boolean;
  /** Day it was run on, YYYY-MM-DD. */
  readonly date: string;
  readonly ms: number;
}

const OURS = fileURLToPath(new URL('./adapters/anima-grasp.js', import.meta.url));
const BUILT_IN: Readonly<Record<string, () => readonly string[]>> = {
  'anima-grasp': () => [process.execPath, OURS],
  'anima-grasp-interpreted': () => [process.execPath, OURS, 'interpreted'],
  graspy: () => {
    if (!process.env['GRASPY_DIR']) {
      throw new RangeError('GRASPY_DIR names no copy of the Python prototype');
    }
    const adapter = new URL('../../../test/conformance/adapters/graspy.py', import.meta.url);
    return [process.env['GRASPY_PYTHON'] ?? '/usr/bin/python3', '-B', fileURLToPath(adapter)];
  },
};

/** The command that starts an adapter: a known name, a `.js`/`.mjs` or `.py` file, or any program. */
export function adapterCommand(adapter: string): readonly string[] {
  const builtIn = BUILT_IN[adapter];
  if (builtIn) return builtIn();
  const path = resolve(adapter);
  if (!existsSync(path)) throw new RangeError(`there is no adapter ${adapter}`);
  if (/\.[cm]?js$/.test(path)) return [process.execPath, path];
  if (path.endsWith('.py')) return ['python3', path];
  return [path];
}

const SLOW_MS = 5_000;
/** ms a row that is not slow may take: all its waiting has shorter bounds. */
const ROW_LIMIT_MS = 30_000;

function chosen(requirement: Requirement, only: readonly string[] | undefined): boolean {
  if (!only) return true;
  return only.some((each) =>
    each.endsWith('*') ? requirement.id.startsWith(each.slice(0, -1)) : requirement.id === each,
  );
}

export async function runSuite(options: SuiteOptions = {}): Promise<SuiteResult> {
  const began = now();
  setPatience(options.patience ?? 1);
  const command = options.command ?? adapterCommand(options.adapter ?? 'anima-grasp');
  const results = new Map<string, RowResult>();
  const skipped: string[] = [];
  const [quickRows, slowRows]: [Row[], Row[]] = [[], []];
  const wanted = requirements.filter((each) => chosen(each, options.only));
  for (const id of options.only ?? []) {
    if (!id.endsWith('*') && !wanted.some((each) => each.id === id)) throw new RangeError(`no row ${id}`);
  }
  const levels = new Map(requirements.map((each) => [each.id, each.level]));
  const conclude = (id: string, status: RowStatus, reason: string, ms = 0): void => {
    const result = { id, status, reason, level: levels.get(id) ?? '', ms };
    results.set(id, result);
    options.onResult?.(result, results.size + skipped.length, wanted.length);
  };
  for (const { id, testable } of wanted) {
    const reason = closedRows().get(id);
    const row = definedRows().get(id);
    if (reason !== undefined) conclude(id, 'notApplicable', reason);
    else if (row) {
      const slow = (row.options.slowMs ?? 0) > SLOW_MS;
      if (slow && options.quick) skipped.push(id);
      else (slow ? slowRows : quickRows).push(row);
    } else if (testable === 'D') {
      conclude(
        id,
        'notApplicable',
        'not testable: binds the designer, the ASA, the operator or the substrate',
      );
    } else if (testable === 'N') {
      conclude(id, 'notApplicable', 'not testable from outside');
    } else conclude(id, 'failed', 'no test yet');
  }
  slowRows.sort((a, b) => b.options.slowMs! - a.options.slowMs!);

  const jobs = options.jobs ?? 4;
  const shared = { command, silenceMs: options.silenceMs ?? 1000 };
  const lanes: Lane[] = [];
  const work = async (queue: Row[]): Promise<void> => {
    const lane = new Lane(shared);
    lanes.push(lane);
    try {
      for (let row = queue.shift(); row; row = queue.shift()) {
        const rowBegan = now();
        const { status, reason } = await lane.run(row);
        conclude(row.id, status, reason, now() - rowBegan);
      }
    } finally {
      await lane.close();
    }
  };
  const count = (queue: Row[]): number => Math.min(jobs, queue.length);
  await Promise.all([
    ...Array.from({ length: count(slowRows) }, () => work(slowRows)),
    ...Array.from({ length: count(quickRows) }, () => work(quickRows)),
  ]);

  const rows = wanted.flatMap(({ id }) => results.get(id) ?? []);
  const of = (status: RowStatus): number => rows.filter((each) => each.status === status).length;
  const hello = lanes.find((lane) => lane.hello)?.hello;
  return {
    engine: { name: hello?.name ?? 'unknown', version: hello?.version ?? '' },
    summary: { passed: of('passed'), failed: of('failed'), notApplicable: of('notApplicable') },
    rows,
    skipped,
    clock: lanes.some((lane) => lane.hello?.capabilities.includes('clock') ?? false),
    date: new Date().toISOString().slice(0, 10),
    ms: now() - began,
  };
}

interface Verdict {
  readonly status: RowStatus;
  readonly reason: string;
}

/** One lab and one adapter, used for one row after another. */
class Lane {
  readonly #command: readonly string[];
  readonly #silenceMs: number;
  readonly #notice = new Notice();
  #lab: RowLab | undefined;
  #adapter: Adapter | undefined;
  readonly #further: Adapter[] = [];
  hello: Hello | undefined;

  constructor(shared: { command: readonly string[]; silenceMs: number }) {
    this.#command = shared.command;
    this.#silenceMs = shared.silenceMs;
  }

  async run(row: Row): Promise<Verdict> {
    const journal = new Journal();
    let verdict: Verdict;
    let spoilt = row.options.clean ?? false;
    try {
      const { lab, adapter, hello } = await this.#ready(journal);
      const missing = (row.options.needs ?? []).filter((each) => !hello.capabilities.includes(each));
      if (missing.length > 0) {
        return { status: 'notApplicable', reason: `the engine has no ${missing.join(', ')}` };
      }
      const t = new T({
        id: row.id,
        lab,
        adapter,
        journal,
        notice: this.#notice,
        silenceMs: this.#silenceMs,
        capabilities: new Set(hello.capabilities),
        startAdapter: async (prefix) => {
          const further = new Adapter(lab.startAtE([...prefix, ...this.#command]), this.#notice);
          this.#further.push(further);
          await further.promptly('hello');
          return further;
        },
      });
      journal.note('row begins');
      if (row.options.start !== null) await t.engine.start(row.options.start ?? {});
      const limit = Math.max(ROW_LIMIT_MS, 1.5 * (row.options.slowMs ?? 0));
      await this.#limited(row.body(t), limit);
      verdict = { status: 'passed', reason: '' };
    } catch (error) {
      const unsupported = error instanceof Unsupported ? error.message : this.#adapter?.unsupported;
      if (unsupported !== undefined) verdict = { status: 'notApplicable', reason: unsupported };
      else {
        verdict = { status: 'failed', reason: `${report(error, journal)}${await this.#engineReport()}` };
        spoilt ||= !(error instanceof Violation || error instanceof CallFailed);
      }
    }
    await this.#after(spoilt);
    return verdict;
  }

  async close(): Promise<void> {
    await this.#adapter?.close();
    this.#adapter = undefined;
    await this.#lab?.close();
    this.#lab = undefined;
  }

  async #ready(journal: Journal): Promise<{ lab: RowLab; adapter: Adapter; hello: Hello }> {
    this.#lab ??= await RowLab.make(this.#notice);
    for (const peer of this.#lab.peers) await peer.begin(journal);
    if (!this.#adapter) {
      this.#adapter = new Adapter(this.#lab.startAtE(this.#command), this.#notice);
      this.hello = (await this.#adapter.promptly('hello')) as unknown as Hello;
    }
    this.#adapter.journal = journal;
    this.#adapter.unsupported = undefined;
    return { lab: this.#lab, adapter: this.#adapter, hello: this.hello! };
  }

  /** What the engine says of itself, if its adapter can tell. */
  async #engineReport(): Promise<string> {
    const adapter = this.#adapter;
    if (!adapter || adapter.end !== undefined || !this.hello?.capabilities.includes('report')) return '';
    adapter.journal = undefined;
    try {
      const { text } = await adapter.promptly('report');
      return `\n  the engine reports: ${String(text)}`;
    } catch (error) {
      return `\n  the engine reports nothing: ${(error as Error).message}`;
    }
  }

  /** Stops the engine; an adapter that cannot, or whose row went wrong in an unknown way, is replaced. */
  async #after(spoilt: boolean): Promise<void> {
    await Promise.all(this.#further.splice(0).map((each) => each.close()));
    const adapter = this.#adapter;
    if (adapter) {
      adapter.journal = undefined;
      const again = this.hello?.capabilities.includes('restart') ?? false;
      const stopped =
        again && !spoilt && adapter.end === undefined
          ? await new Engine(adapter).call('stopAll').then(
              () => true,
              () => false,
            )
          : false;
      if (!stopped) {
        await adapter.close();
        this.#adapter = undefined;
      }
    }
    if (!spoilt) await this.#lab?.removeIPv4();
    else {
      await this.#lab?.close();
      this.#lab = undefined;
    }
  }

  async #limited(body: Promise<void>, ms: number): Promise<void> {
    let outcome: { error?: unknown } | undefined;
    body
      .then(
        () => (outcome = {}),
        (error: unknown) => (outcome = { error }),
      )
      .finally(() => this.#notice.changed());
    const done = await this.#notice.until(() => outcome, ms);
    if (!done) throw new Error(`the row is not done within ${ms} ms`);
    if ('error' in done) throw done.error;
  }
}

function report(error: unknown, journal: Journal): string {
  const { message, stack } = error as Error;
  const known = error instanceof Violation || error instanceof CallFailed;
  const what = known ? message : (stack ?? message);
  return [what, ...journal.tail().map((line) => `  ${line}`)].join('\n');
}
