/**
 * The ports from which this node sends its multicasts: per interface a UDP socket and a stream listener on the
 * same number (RFC 8990 §2.8.4). Kept open while the interface is there, on the same number across restarts.
 */
import type { AnyActor } from 'xstate';
import type { Clock, TimerId, Counters } from '../runtime/index.js';
import type { Environment, PortPair, Stream, Substrate } from '../substrate/types.js';
import { bindingMachine, type BindingPort } from './binding.js';
import type { BoundPort } from './core-protocol.js';
import { census, leaves, startActor, type ActorCount } from './machine-host.js';

/** ms until a port that could not be bound is tried again. */
const RETRY_MS = 250;
/** Tries on the port held before; then any free one is taken. */
const SAME_PORT_TRIES = 8;

export interface DiscoveryPortsOptions {
  readonly clock: Clock;
  readonly substrate: Substrate;
  readonly counters: Counters;
  /** Ports held before a restart, by interface: peers answer to them. */
  readonly preferred: Readonly<Record<string, number>>;
  readonly onStream: (stream: Stream, interfaceName: string) => void;
  readonly onPorts: (ports: readonly BoundPort[]) => void;
}

interface Binding {
  readonly actor: AnyActor;
  pair: PortPair | undefined;
}

export class DiscoveryPorts {
  readonly #options: DiscoveryPortsOptions;
  readonly #bindings = new Map<string, Binding>();
  readonly #held: Record<string, number>;
  #open: readonly PortPair[] | undefined;

  constructor(options: DiscoveryPortsOptions) {
    this.#options = options;
    this.#held = { ...options.preferred };
  }

  /** The pairs that are open now: one array until they change, for it is read for every multicast. */
  get open(): readonly PortPair[] {
    this.#open ??= [...this.#bindings.values()].flatMap((binding) => binding.pair ?? []);
    return this.#open;
  }

  get bound(): readonly BoundPort[] {
    return this.open.map((pair) => ({ interface: pair.interface, port: pair.port }));
  }

  follow(environment: Environment): void {
    const names = new Set(environment.interfaces.map((info) => info.name));
    for (const [name, binding] of this.#bindings) {
      if (names.has(name)) {
        binding.actor.send({ type: 'interface.changed' });
      } else {
        this.#bindings.delete(name);
        this.#open = undefined;
        binding.actor.send({ type: 'stop' });
      }
    }
    for (const name of names) if (!this.#bindings.has(name)) this.#bind(name);
  }

  /** Resolves when each interface has its port or has failed a first time. */
  async ready(): Promise<void> {
    await Promise.all([...this.#bindings.values()].map(({ actor }) => leaves(actor, 'opening')));
  }

  get actors(): AnyActor[] {
    return [...this.#bindings.values()].map((binding) => binding.actor);
  }

  census(): ActorCount[] {
    return census(this.actors);
  }

  async close(): Promise<void> {
    const pairs = this.open;
    for (const binding of this.#bindings.values()) binding.actor.send({ type: 'stop' });
    this.#bindings.clear();
    this.#open = undefined;
    await Promise.all(pairs.map((pair) => pair.close()));
  }

  #bind(name: string): void {
    const { clock, substrate, counters } = this.#options;
    let retry: TimerId | undefined;
    let stopped = false;
    let tries = 0;
    const send = (type: 'opened' | 'failed' | 'lost' | 'timer.expired'): void => binding.actor.send({ type });
    const port: BindingPort = {
      get subject() {
        return { interface: name };
      },
      open: () => {
        const held = this.#held[name];
        if (held !== undefined && ++tries > SAME_PORT_TRIES) delete this.#held[name];
        substrate
          .openPair(name, {
            port: this.#held[name],
            onStream: (stream) => this.#options.onStream(stream, name),
            onLost: () => {
              binding.pair = undefined;
              this.#open = undefined;
              send('lost');
              this.#options.onPorts(this.bound);
            },
          })
          .then(
            (pair) => {
              if (stopped) return void pair.close();
              tries = 0;
              binding.pair = pair;
              this.#open = undefined;
              this.#held[name] = pair.port;
              send('opened');
              this.#options.onPorts(this.bound);
            },
            () => send('failed'),
          );
      },
      close: () => {
        stopped = true;
        void binding.pair?.close();
        binding.pair = undefined;
        this.#open = undefined;
        this.#options.onPorts(this.bound);
      },
      startRetryTimer: () => {
        retry = clock.setTimeout(() => send('timer.expired'), RETRY_MS);
      },
      stopRetryTimer: () => clock.clearTimeout(retry),
      count: (reason) => counters.add(`discovery-port.${reason}`),
    };
    const binding: Binding = { actor: undefined as unknown as AnyActor, pair: undefined };
    this.#bindings.set(name, binding);
    (binding as { actor: AnyActor }).actor = startActor(
      bindingMachine,
      { input: { port } },
      { counters, onError: () => (this.#bindings.delete(name), (this.#open = undefined)) },
    );
  }
}
