/**
 * Node's jest environment that fails a test file which leaves something open: a socket, server, worker, message
 * port, child process or running timer. Jest itself only hangs, or says nothing when it kills its helper process.
 */
import { TestEnvironment } from 'jest-environment-node';

const WATCHED = new Set([
  'ChildProcess',
  'MessagePort',
  'PipeServerWrap',
  'ProcessWrap',
  'TCPServerWrap',
  'TCPSocketWrap',
  'TLSWrap',
  'Timeout',
  'UDPWrap',
  'Worker',
]);

/** What was asked to close may need some turns of the event loop. */
const GRACE_MS = 1000;

function open() {
  const counts = new Map();
  for (const kind of process.getActiveResourcesInfo()) {
    if (WATCHED.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

export default class LeakFreeEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    this.testPath = context.testPath;
  }

  async setup() {
    await super.setup();
    this.before = open();
  }

  async teardown() {
    await super.teardown();
    const deadline = Date.now() + GRACE_MS;
    for (;;) {
      const left = [...open()].filter(([kind, count]) => count > (this.before.get(kind) ?? 0));
      if (left.length === 0) return;
      if (Date.now() > deadline) {
        const list = left
          .map(([kind, count]) => `${count - (this.before.get(kind) ?? 0)} ${kind}`)
          .join(', ');
        throw new Error(`${this.testPath} left open: ${list}`);
      }
      // Not a timer: it would be counted.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
