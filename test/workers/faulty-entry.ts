import { workerData } from 'node:worker_threads';
import type { HostInit } from '../../src/workers/host-main.js';
import { osThread, threadTime } from '../../src/workers/thread-time.js';
import type { FaultOrder } from './faulty.js';

const { name } = workerData as HostInit;
const channel = new BroadcastChannel(`grasp faults ${process.pid}`);
channel.onmessage = (event: unknown): void => {
  const order = (event as { data: FaultOrder }).data;
  if (order.host !== name) return;
  switch (order.fault) {
    case 'throw':
      throw new Error('made to throw');
    case 'exit':
      process.exit(7);
      break;
    case 'loop':
      for (;;);
    case 'block': {
      const until = performance.now() + (order.ms ?? 0);
      while (performance.now() < until);
      break;
    }
    case 'work': {
      const ran = (): number => threadTime(osThread()!)!.ranMs;
      const until = ran() + (order.ms ?? 0);
      while (ran() < until);
    }
  }
};
(channel as unknown as { unref(): void }).unref();
await import('../../src/workers/entry.js');
