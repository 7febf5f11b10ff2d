/**
 * Entry point of an ASA's worker: its session host and its API side in one thread, so that its sessions cost no
 * hop between threads.
 */
import { workerData } from 'node:worker_threads';
import { ErrorCode, GraspError } from '../protocol/index.js';
import { inlinePair } from '../runtime/index.js';
import { connect, serve } from '../workers/control.js';
import type { EngineControl } from '../workers/engine-control.js';
import { runHost, type HostInit } from '../workers/host-main.js';
import type { SessionsControl } from '../workers/host.js';
import { workerWorld } from '../workers/placement.js';
import { isPort } from '../workers/ports.js';
import { Asa } from './asa.js';
import type { AsaInit, AsaModule, AsaThreadControl } from './asa-thread.js';
import { Client } from './client.js';

const init = workerData as HostInit;
const own = init.asa as AsaInit;
const { clock, toEndpoint } = workerWorld;

const client = new Client({
  control: connect<EngineControl>(toEndpoint(own.engine), isPort).calls,
  clock,
  window: own.window,
  host: init.name,
});
const controller = new AbortController();
let module: AsaModule | undefined;

const control: AsaThreadControl = {
  attachCore: (port) => client.attachCore(port),
  attachSessions: (host, port) => client.attachSessions(host, port),
  sessionsLost: (host, failure) => client.sessionsLost(host, failure),
  coreLost: (failure) => client.coreLost(failure),
  listenEnded: (listen, failure) => client.listenEnded(listen, failure),
  load: async (href) => {
    const loaded = (await import(href)) as Partial<AsaModule>;
    if (typeof loaded.default !== 'function') {
      throw new GraspError(ErrorCode.unspec, `${href} has no default export that is a function`);
    }
    module = loaded as AsaModule;
  },
  run: async (data) =>
    module?.default({ asa: new Asa(client, own.name, own.handle), data, signal: controller.signal }),
  abort: () => controller.abort(new GraspError(ErrorCode.closed)),
};
serve(control, toEndpoint(own.control), isPort);

runHost(init, workerWorld).then(
  (host) => {
    const [atHost, atClient] = inlinePair(clock);
    (host as SessionsControl).attachClient(own.client, atHost);
    client.attachSessions(init.name, atClient);
  },
  // A host that cannot be built says so through its control calls.
  () => undefined,
);
