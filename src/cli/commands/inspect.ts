/**
 * `grasp inspect`: the inspector's page. The page is served by the process that holds the engine: this one, with an
 * engine of its own, or another one of this host (started with `--inspect`), which this command finds and shows.
 */
import { DEFAULT_INSPECTOR_PORT } from '../api.js';
import { interrupted, withEngine, type CommandContext, type SharedOptions } from '../command.js';
import { CliError, Exit, usageError } from '../exit.js';
import { inspectEngine } from '../inspection.js';
import { readyEvent } from '../ready.js';
import { MAX_PORT } from '../../protocol/index.js';

export interface InspectOptions {
  /** Where the page of an own engine is served; absent: the usual port. */
  readonly port?: number | undefined;
  /** Shows the bridge to the Stately Inspector instead of the page. */
  readonly stately?: boolean | undefined;
  /** Opens it in a browser too. */
  readonly open?: boolean | undefined;
}

/** How long another process may take to say what it is, ms. */
const ANSWER_MS = 3_000;

/** What an inspector says of itself. */
interface About {
  readonly version: string;
  readonly processId: number;
  readonly nodes: readonly string[];
}

export async function inspect(
  context: CommandContext,
  where: string | undefined,
  options: InspectOptions & SharedOptions,
): Promise<Exit> {
  const own = options.insecure === true || (options.interface ?? []).length > 0;
  if (where !== undefined) {
    if (own || options.port !== undefined) {
      throw usageError(
        'an inspector that is there already has its own engine and port: WHERE goes without -i, --insecure and --port',
      );
    }
    return show(context, baseOf(where), options);
  }
  if (own || options.port !== undefined) return serveOwn(context, options);
  const usual = baseOf(String(DEFAULT_INSPECTOR_PORT));
  if ((await aboutOf(context, usual)) !== undefined) return show(context, usual, options);
  throw new CliError(
    Exit.engine,
    `no inspector is served on port ${DEFAULT_INSPECTOR_PORT} of this host`,
    'start what is to be watched with --inspect (grasp demo --inspect, grasp daemon --inspect), ' +
      'or give -i IF --insecure for an engine of this command',
  );
}

/** An engine without an ASA, as a daemon's, and its page, until SIGINT or SIGTERM. */
function serveOwn(context: CommandContext, options: InspectOptions): Promise<Exit> {
  return withEngine(
    context,
    async (grasp) => {
      const server = await inspectEngine(context.output, grasp, options.port ?? true);
      try {
        context.output.event(await readyEvent(grasp));
        const url = options.stately === true ? server.statelyUrl : server.url;
        if (options.stately === true) tellStately(context, url);
        if (options.open === true) await context.openBrowser(url);
        await interrupted(context.signal);
        return Exit.done;
      } finally {
        await server.close();
      }
    },
    'lasting',
  );
}

/** An inspector that another process serves. */
async function show(context: CommandContext, base: URL, options: InspectOptions): Promise<Exit> {
  const about = await aboutOf(context, base);
  if (about === undefined) {
    throw new CliError(
      Exit.engine,
      `no inspector is served at ${base.href}`,
      'start the engine with --inspect PORT, and give that port',
    );
  }
  const url = options.stately === true ? new URL('/stately', base).href : base.href;
  const { processId, nodes, version } = about;
  context.output.line(
    {
      event: 'inspector',
      url: base.href,
      stately: new URL('/stately', base).href,
      processId,
      nodes,
      version,
    },
    `Watch process ${processId} (${nodes.join(', ')}) at ${url}`,
  );
  if (options.open === true) await context.openBrowser(url);
  return Exit.done;
}

function tellStately({ output }: CommandContext, url: string): void {
  output.line({ event: 'stately', url }, `In the Stately Inspector, which comes from the internet: ${url}`);
}

/** `8990`, `127.0.0.1:8990` or `http://127.0.0.1:8990/`. */
function baseOf(where: string): URL {
  const text = /^\d+$/.test(where) ? `127.0.0.1:${where}` : where;
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  const isPort = !/^\d+$/.test(where) || (Number(where) >= 1 && Number(where) <= MAX_PORT);
  if (
    url === undefined ||
    url.protocol !== 'http:' ||
    !isPort ||
    !/^(?:127\.0\.0\.1|localhost)$/.test(url.hostname)
  ) {
    throw usageError(
      `${JSON.stringify(where)} is no inspector's address`,
      'it is a port of this host, or http://127.0.0.1:PORT',
    );
  }
  return new URL('/', url);
}

/** What is served there says; undefined: nothing, or something else. */
async function aboutOf({ clock, signal }: CommandContext, base: URL): Promise<About | undefined> {
  const end = new AbortController();
  const abort = (): void => end.abort();
  const timer = clock.setTimeout(abort, ANSWER_MS);
  signal.addEventListener('abort', abort, { once: true });
  try {
    const answer = await fetch(new URL('/about.json', base), { signal: end.signal, redirect: 'error' });
    return answer.ok ? checkedAbout(await answer.json()) : undefined;
  } catch {
    // Nobody listens, or it is no HTTP, or no JSON: there is no inspector.
    signal.throwIfAborted();
    return undefined;
  } finally {
    clock.clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

function checkedAbout(answer: unknown): About | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { product, version, processId, nodes } = answer as Record<string, unknown>;
  if (product !== 'anima-grasp' || typeof version !== 'string' || typeof processId !== 'number')
    return undefined;
  if (!Array.isArray(nodes) || !nodes.every((name) => typeof name === 'string')) return undefined;
  return { version, processId, nodes };
}
