/** Entry point of an engine worker: runs the host its description asks for. */
import { workerData } from 'node:worker_threads';
import { runHost, type HostInit } from './host-main.js';
import { workerWorld } from './placement.js';

// A host that cannot be built says so through its control calls.
runHost(workerData as HostInit, workerWorld).catch(() => undefined);
