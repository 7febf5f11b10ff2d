/** `grasp daemon`: an engine without an ASA; it relays discoveries and floods between its links, and caches. */
import type { Grasp } from '../api.js';
import { interrupted, withEngine, type CommandContext } from '../command.js';
import { Exit } from '../exit.js';
import { readyEvent } from '../ready.js';

export interface DaemonOptions {
  /** Port of 127.0.0.1 for Prometheus; 0: any free one. Absent: none. */
  readonly metrics?: number | undefined;
}

/** Until SIGINT or SIGTERM. */
export async function daemon(context: CommandContext, options: DaemonOptions = {}): Promise<Exit> {
  return withEngine(
    context,
    async (grasp) => {
      const metrics = options.metrics === undefined ? undefined : await startMetrics(grasp, options.metrics);
      try {
        const ready = await readyEvent(grasp);
        context.output.event(metrics ? { ...ready, metrics: metrics.url } : ready);
        await interrupted(context.signal);
      } finally {
        await metrics?.close();
      }
      return Exit.done;
    },
    'lasting',
  );
}

/** Loaded only where it is wanted: it is most of what such a command loads. */
async function startMetrics(
  grasp: Grasp,
  port: number,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const [{ EngineMetrics }, { serveMetrics }] = await Promise.all([
    import('../metrics/metrics.js'),
    import('../metrics/server.js'),
  ]);
  const metrics = new EngineMetrics(grasp);
  try {
    const server = await serveMetrics(metrics, port);
    return {
      url: server.url,
      close: async () => {
        metrics.close();
        await server.close();
      },
    };
  } catch (error) {
    metrics.close();
    throw error;
  }
}
