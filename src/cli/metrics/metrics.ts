/**
 * An engine in the terms of Prometheus. What happens one by one (outcomes, latencies) is counted from the events of
 * `node:diagnostics_channel`; what the engine counts itself is read from `status()` when it is asked for.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { CHANNEL_PREFIX, type EngineStatus, type Grasp, type Published } from '../api.js';

/** s; from a step between two ASAs of one machine to the default timeout of 60 s. */
const STEP_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Counters of multicasts that say what became of one, by the type of the message. */
const MULTICAST = /^multicast\.(discovery|flood)\.(.+)$/;
/** And of those that never got so far that their type matters. */
const NO_TYPE =
  /^(?:multicast\.(other|malformed|too-big|own-copy|own|ignored|no-security|refused\..+)|(dull\..+|ipv4\..+))$/;
const SENT: Readonly<Record<string, { type: string; relayed: string }>> = {
  'discovery.sent': { type: 'M_DISCOVERY', relayed: 'no' },
  'relay.discovery.sent': { type: 'M_DISCOVERY', relayed: 'yes' },
  'flood.sent': { type: 'M_FLOOD', relayed: 'no' },
  'relay.flood.sent': { type: 'M_FLOOD', relayed: 'yes' },
};
const TYPES: Readonly<Record<string, string>> = { discovery: 'M_DISCOVERY', flood: 'M_FLOOD' };
const FLOOD_RELAY = /^flood\.relay\.(known|loop-count|memory-full|backlog|rate|relayed)$/;
const SESSIONS = /^(negotiation|synchronization)Session$/;
const SECURITY = ['none', 'insecure', 'secure'] as const;

export class EngineMetrics {
  readonly #grasp: Grasp;
  readonly #registry = new Registry();
  readonly #sessionsEnded = this.#counter(
    'grasp_sessions_ended_total',
    'Sessions that have ended, by how they ended for this node',
    ['procedure', 'role', 'outcome'],
  );
  readonly #steps = new Histogram({
    name: 'grasp_step_latency_seconds',
    help: 'Time from a message that wants an answer to that answer (M_WAIT is none)',
    labelNames: ['procedure'],
    buckets: STEP_BUCKETS,
    registers: [this.#registry],
  });
  readonly #sessions = this.#gauge('grasp_sessions', 'Sessions now, by procedure and state', [
    'procedure',
    'state',
  ]);
  readonly #multicasts = this.#counter(
    'grasp_multicasts_total',
    'Discoveries and floods received, by type and what became of them; type "" where it was not looked at',
    ['type', 'result'],
  );
  readonly #floodRelays = this.#counter(
    'grasp_flood_relays_total',
    'Floods of other nodes, by whether they were relayed, or why not',
    ['result'],
  );
  readonly #multicastsSent = this.#counter(
    'grasp_multicasts_sent_total',
    'Multicasts sent, one per interface, by type and whether they are passed on for others',
    ['type', 'relayed'],
  );
  readonly #counts = this.#counter('grasp_counts_total', 'Everything the engine counts, as in status()', [
    'thread',
    'counter',
  ]);
  readonly #cacheEntries = this.#gauge('grasp_cache_entries', 'Entries of a cache', ['cache']);
  readonly #cacheLimit = this.#gauge('grasp_cache_limit', 'Most entries of a cache', ['cache']);
  readonly #queueLength = this.#gauge('grasp_queue_length', 'What waits in a bounded queue', [
    'thread',
    'queue',
  ]);
  readonly #queueLimit = this.#gauge('grasp_queue_limit', 'Room of a bounded queue', ['thread', 'queue']);
  readonly #restarts = this.#counter(
    'grasp_worker_restarts_total',
    'Times a thread was started in place of one that ended',
    ['thread'],
  );
  readonly #lag = this.#gauge(
    'grasp_thread_lag_seconds',
    'Longest time an event waited for the event loop of a thread, in the last 10 to 20 s',
    ['thread'],
  );
  readonly #security = this.#gauge('grasp_security', '1 for the security state of the substrate', ['state']);
  readonly #interfaces = this.#gauge('grasp_interfaces', 'Interfaces in use', []);

  /** Only what happens from now on is counted. */
  constructor(grasp: Grasp) {
    this.#grasp = grasp;
    subscribe(`${CHANNEL_PREFIX}session.ended`, this.#onEnded);
    subscribe(`${CHANNEL_PREFIX}session.step`, this.#onStep);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Names of all metrics there are, for whoever draws them. */
  get names(): readonly string[] {
    return this.#registry.getMetricsAsArray().map(({ name }) => name);
  }

  /** Prometheus text, as things are now. */
  async text(): Promise<string> {
    this.#read(await this.#grasp.status());
    return this.#registry.metrics();
  }

  close(): void {
    unsubscribe(`${CHANNEL_PREFIX}session.ended`, this.#onEnded);
    unsubscribe(`${CHANNEL_PREFIX}session.step`, this.#onStep);
  }

  readonly #onEnded = (message: unknown): void => {
    const event = message as Published;
    if (event.name !== 'session.ended' || event.grasp !== this.#grasp) return;
    const { procedure, about, outcome } = event;
    this.#sessionsEnded.inc({ procedure, role: about.role ?? '', outcome });
  };

  readonly #onStep = (message: unknown): void => {
    const event = message as Published;
    if (event.name !== 'session.step' || event.grasp !== this.#grasp) return;
    this.#steps.observe({ procedure: event.procedure }, event.latencyMs / 1_000);
  };

  #read({ threads, counters, security, interfaces }: EngineStatus): void {
    for (const [name, n] of Object.entries(counters)) this.#readCounter(name, n);
    this.#sessions.reset();
    this.#queueLength.reset();
    this.#queueLimit.reset();
    this.#lag.reset();
    this.#counts.reset();
    for (const { name: thread, actors, queues, restarts, lagMs, counters: own } of threads) {
      for (const { machine, state, count } of actors) {
        const [, procedure] = SESSIONS.exec(machine) ?? [];
        if (procedure) this.#sessions.inc({ procedure, state }, count);
      }
      for (const { name: queue, length, limit } of queues) {
        const [, cache] = /^(discovery|flood)\.cache$/.exec(queue) ?? [];
        if (cache) {
          this.#cacheEntries.set({ cache }, length);
          this.#cacheLimit.set({ cache }, limit);
        }
        this.#queueLength.set({ thread, queue }, length);
        this.#queueLimit.set({ thread, queue }, limit);
      }
      for (const [counter, n] of Object.entries(own)) this.#counts.inc({ thread, counter }, n);
      setTo(this.#restarts, { thread }, restarts);
      if (lagMs !== undefined) this.#lag.set({ thread }, lagMs / 1_000);
    }
    for (const state of SECURITY) this.#security.set({ state }, state === security ? 1 : 0);
    this.#interfaces.set(interfaces.length);
  }

  #readCounter(name: string, n: number): void {
    const multicast = MULTICAST.exec(name);
    if (multicast) {
      const [, type = '', result = ''] = multicast;
      return setTo(this.#multicasts, { type: TYPES[type] ?? '', result }, n);
    }
    const untyped = NO_TYPE.exec(name);
    if (untyped) return setTo(this.#multicasts, { type: '', result: untyped[1] ?? untyped[2] ?? '' }, n);
    const relay = FLOOD_RELAY.exec(name);
    if (relay) return setTo(this.#floodRelays, { result: relay[1]! }, n);
    const sent = SENT[name];
    if (sent) setTo(this.#multicastsSent, sent, n);
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }
}

/** A counter that somebody else keeps. It falls when the thread that kept it is replaced, as Prometheus expects. */
function setTo<L extends string>(counter: Counter<L>, labels: Partial<Record<L, string>>, n: number): void {
  counter.remove(labels);
  counter.inc(labels, n);
}
