/** Serves metrics to whoever asks on this machine, and to nobody else. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { refusal } from '../../inspector/guard.js';
import { CliError, Exit } from '../exit.js';

const HOST = '127.0.0.1';

/** What is served: {@link EngineMetrics} in production. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface MetricsServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1; port 0: any free one. Rejects a {@link CliError} with exit code 3 when the port cannot be had. */
export async function serveMetrics(metrics: MetricsText, port: number): Promise<MetricsServer> {
  const server = createServer((request, response) => void answer(metrics, request, response));
  await listening(server, port);
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${bound}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const why = taken ? `port ${port} of ${HOST} is in use` : error.message;
      const hint = taken ? 'choose another one, or 0 for any that is free' : undefined;
      reject(new CliError(Exit.engine, `metrics cannot be served: ${why}`, hint, { cause: error }));
    });
    server.listen({ host: HOST, port, exclusive: true }, resolve);
  });
}

async function answer(
  metrics: MetricsText,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const say = (status: number, text: string, headers: Record<string, string> = {}): void => {
    response.writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    });
    response.end(request.method === 'HEAD' ? undefined : text);
  };
  const refused = refusal(request);
  if (refused !== undefined) return say(403, `${refused}\n`);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return say(405, 'only GET\n', { allow: 'GET, HEAD' });
  }
  if (request.url?.split('?')[0] !== '/metrics') return say(404, 'metrics are at /metrics\n');
  try {
    say(200, await metrics.text(), { 'content-type': metrics.contentType });
  } catch (error) {
    say(503, `${error instanceof Error ? error.message : String(error)}\n`);
  }
}
