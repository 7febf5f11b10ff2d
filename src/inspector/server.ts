import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { realTime } from '../api/clock.js';
import { ErrorCode, GraspError, MAX_PORT } from '../protocol/index.js';
import type { Clock } from '../runtime/index.js';
import { loadAssets, STATELY_PATH, type Asset } from './assets.js';
import type { FeedItem, StatusSample, ToPage } from './feed.js';
import { bridgeHeaders, PAGE_HEADERS, refusal } from './guard.js';
import { DEFAULT_INSPECTOR_LIMITS, DEFAULT_INSPECTOR_PORT, type InspectorLimits } from './limits.js';
import { Recorder, type Inspectable } from './recorder.js';
import { statelyMessages } from './stately.js';
import { Viewer } from './viewer.js';

const HOST = '127.0.0.1';

const CODES = Object.fromEntries(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

/** Pages and bridges send nothing: more than a control frame ends the connection. */
const MOST_RECEIVED_BYTES = 1024;

/** Where a page and a bridge get what they show. */
const FEED_PATH = '/feed';
const STATELY_FEED_PATH = '/stately/feed';

export interface InspectorOptions {
  /**
   * TCP port on 127.0.0.1; 0: any free one. Default {@link DEFAULT_INSPECTOR_PORT}, and any free one if that is in use.
   */
  readonly port?: number | undefined;
  /** Single limits; the others keep their defaults ({@link DEFAULT_INSPECTOR_LIMITS}). */
  readonly limits?: Partial<InspectorLimits> | undefined;
  /** The Stately Inspector that the bridge shows; default `https://stately.ai/inspect`. */
  readonly statelyUrl?: string | undefined;
  /** Default: real time. */
  readonly clock?: Clock | undefined;
}

/** A served page. */
export interface InspectorServer extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT/` */
  readonly url: string;
  /** The bridge to the Stately Inspector; what that shows comes from the internet. */
  readonly statelyUrl: string;
  /** Ends the inspection and closes every connection. Idempotent; the engines go on. */
  close(): Promise<void>;
}

/** An engine, or several of this process by the names they are to have on the page. */
export type InspectorSubject = Inspectable | Readonly<Record<string, Inspectable>>;

/**
 * Serves a page that shows what engines of this process do: their machines, conversations, network and threads. On
 * 127.0.0.1 only, to pages of its own only; every user of this host can open it. It watches from now on, whether a
 * page is open or not, so that one that comes later sees what has happened ({@link InspectorLimits} bounds it).
 *
 * Resolves when the page can be opened and what happens from now on is shown. Rejects 3: no such limit, the port is no
 * port or is in use, an engine is closed.
 *
 * @example
 * import { serveInspector } from 'anima-grasp/inspector';
 * const inspector = await serveInspector(grasp);
 * console.log(`watch at ${inspector.url}`);
 * await inspector.close();
 */
export async function serveInspector(
  subject: InspectorSubject,
  options: InspectorOptions = {},
): Promise<InspectorServer> {
  const limits = checkedLimits(options.limits);
  const served = new Inspector(
    engines(subject),
    limits,
    options.clock ?? realTime,
    statelyAt(options.statelyUrl),
  );
  try {
    await served.listen(options.port);
    await served.start();
    return served;
  } catch (error) {
    await served.close();
    throw error;
  }
}

class Inspector implements InspectorServer {
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MOST_RECEIVED_BYTES });
  readonly #assets: ReadonlyMap<string, Asset> = loadAssets();
  readonly #definitions: Readonly<Record<string, unknown>>;
  readonly #version = packageVersion();
  readonly #recorders: readonly Recorder[];
  readonly #pages = new Set<Viewer>();
  readonly #bridges = new Set<Viewer>();
  #port = 0;
  #closing: Promise<void> | undefined;

  constructor(
    nodes: ReadonlyMap<string, Inspectable>,
    readonly limits: InspectorLimits,
    readonly clock: Clock,
    readonly stately: URL,
  ) {
    this.#definitions = JSON.parse(
      this.#assets.get('/page/definitions.json')?.body.toString() ?? '{}',
    ) as Readonly<Record<string, unknown>>;
    this.#http = createServer((request, response) => this.#answer(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#recorders = [...nodes].map(([name, grasp]) => new Recorder(name, grasp, clock, limits, this));
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://${HOST}:${this.#port}/`;
  }

  get statelyUrl(): string {
    return `http://${HOST}:${this.#port}${STATELY_PATH}`;
  }

  /** @param port undefined: the usual one, or any if that is in use. */
  async listen(port: number | undefined): Promise<void> {
    if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= MAX_PORT)) {
      throw new GraspError(
        ErrorCode.unspec,
        `a port is a whole number from 0 to ${MAX_PORT}, not ${String(port)}`,
      );
    }
    try {
      await this.#bind(port ?? DEFAULT_INSPECTOR_PORT);
    } catch (error) {
      if (port !== undefined) {
        const why = (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'is in use' : 'cannot be opened';
        throw new GraspError(ErrorCode.unspec, `port ${port} of ${HOST} ${why}`, { cause: error });
      }
      await this.#bind(0);
    }
    this.#port = (this.#http.address() as AddressInfo).port;
  }

  async start(): Promise<void> {
    await Promise.all(this.#recorders.map((recorder) => recorder.start()));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // What the recorders tell

  items(node: string, items: readonly FeedItem[]): void {
    this.#tell({ type: 'items', node, items });
    if (this.#bridges.size === 0) return;
    for (const text of this.#statelyTexts(node, items)) for (const bridge of this.#bridges) bridge.send(text);
  }

  sample(node: string, sample: StatusSample): void {
    this.#tell({ type: 'sample', node, sample });
  }

  ended(node: string): void {
    this.#tell({ type: 'ended', node });
  }

  #tell(message: ToPage): void {
    if (this.#pages.size === 0) return;
    const text = JSON.stringify(message);
    for (const page of this.#pages) page.send(text);
  }

  // What browsers ask

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const refused = refusal(request);
    if (refused !== undefined) return plain(response, 403, refused);
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(response, 405, 'GET or HEAD');
    const path = pathOf(request);
    if (path === '/about.json') {
      const nodes = this.#recorders.map(({ name }) => name);
      const about = { product: 'anima-grasp', version: this.#version, processId: process.pid, nodes };
      return reply(response, 'application/json', Buffer.from(JSON.stringify(about)), PAGE_HEADERS);
    }
    const asset = this.#assets.get(path);
    if (asset === undefined) return plain(response, 404, 'there is no such page');
    const headers = path === STATELY_PATH ? bridgeHeaders(this.stately.origin) : PAGE_HEADERS;
    const body =
      path === STATELY_PATH
        ? Buffer.from(asset.body.toString().replace('INSPECTOR_URL', escapeAttribute(this.stately.href)))
        : asset.body;
    reply(response, asset.type, body, headers);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Whoever goes away meanwhile is none of this process's errors.
    socket.on('error', () => socket.destroy());
    const refused = refusal(request);
    const path = pathOf(request);
    if (refused !== undefined) return refuseUpgrade(socket, '403 Forbidden');
    if (path !== FEED_PATH && path !== STATELY_FEED_PATH) return refuseUpgrade(socket, '404 Not Found');
    if (this.#pages.size + this.#bridges.size >= this.limits.viewers) {
      return refuseUpgrade(socket, '503 Service Unavailable');
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      const isPage = path === FEED_PATH;
      const viewers = isPage ? this.#pages : this.#bridges;
      const { unreadBytes } = this.limits;
      const hello = isPage ? () => [this.#hello()] : () => this.#statelyHistory();
      const viewer = new Viewer(webSocket, { unreadBytes, hello });
      viewers.add(viewer);
      webSocket.on('close', () => viewers.delete(viewer));
    });
  }

  #hello(): string {
    const nodes = this.#recorders.map((recorder) => recorder.history());
    return JSON.stringify({
      type: 'hello',
      version: this.#version,
      now: this.clock.now(),
      codes: CODES,
      nodes,
    } satisfies ToPage);
  }

  #statelyHistory(): string[] {
    return this.#recorders.flatMap((recorder) => {
      const { name, items } = recorder.history();
      return this.#statelyTexts(name, items);
    });
  }

  #statelyTexts(node: string, items: readonly FeedItem[]): string[] {
    return items
      .flatMap((item) => statelyMessages(node, item, this.#definitions))
      .map((message) => JSON.stringify(message));
  }

  #bind(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(port, HOST, () => {
        this.#http.off('error', reject);
        resolve();
      });
    });
  }

  async #close(): Promise<void> {
    await Promise.all(this.#recorders.map((recorder) => recorder.close()));
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise<void>((resolve) => this.#http.close(() => resolve()));
  }
}

function engines(subject: InspectorSubject): ReadonlyMap<string, Inspectable> {
  if (isEngine(subject)) return new Map([['engine', subject]]);
  const all = Object.entries(subject);
  if (all.length === 0) throw new GraspError(ErrorCode.unspec, 'there is no engine to inspect');
  return new Map(all);
}

function isEngine(subject: InspectorSubject): subject is Inspectable {
  return typeof (subject as { inspect?: unknown }).inspect === 'function';
}

function checkedLimits(limits: Partial<InspectorLimits> | undefined): InspectorLimits {
  for (const [name, value] of Object.entries(limits ?? {})) {
    if (!(name in DEFAULT_INSPECTOR_LIMITS)) {
      throw new GraspError(ErrorCode.unspec, `there is no limit ${name} of the inspector`);
    }
    if (value !== undefined && (!Number.isInteger(value) || value < 1)) {
      throw new GraspError(ErrorCode.unspec, `limits.${name} is a whole number from 1, not ${String(value)}`);
    }
  }
  return { ...DEFAULT_INSPECTOR_LIMITS, ...limits };
}

function statelyAt(url = 'https://stately.ai/inspect'): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new GraspError(ErrorCode.unspec, `statelyUrl is the URL of a web page, not ${url}`);
  }
  return parsed;
}

function pathOf({ url }: IncomingMessage): string {
  return (url ?? '').split('?', 1)[0] ?? '';
}

function reply(
  response: ServerResponse,
  type: string,
  body: Buffer,
  headers: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): void {
  response.writeHead(200, { ...headers, 'content-type': type, 'content-length': body.length } as Record<
    string,
    string | number
  >);
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

function plain(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { ...PAGE_HEADERS, 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

function escapeAttribute(text: string): string {
  return text.replace(/[&"<>]/g, (c) => `&#${c.charCodeAt(0)};`);
}

function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
