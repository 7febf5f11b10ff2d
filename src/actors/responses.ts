/**
 * Answers to discoveries on their way: M_RESPONSE (RFC 8990 §2.5.4.4), own and relayed, each over a stream to the
 * source of its discovery. Nobody waits for them here.
 *
 * Places are few, because a spoofed source hangs in neighbour discovery for seconds. What finds no place waits, the
 * newest served first, since the asker's patience is short. While anything waits, a connect that takes longer than
 * `responseYieldMs` gives its place up: who is there answers within a round trip. It gets a second, longer try when
 * nobody waits for a first one.
 */
import type { Actor } from 'xstate';
import type { Clock, Counters, TimerId } from '../runtime/index.js';
import type { Stream, Substrate } from '../substrate/types.js';
import { Cancellation } from './cancellation.js';
import {
  discoveryResponseMachine,
  type DiscoveryResponseEvent,
  type DiscoveryResponsePort,
} from './discovery-response.js';
import { LastInFirstOut } from './last-in-first-out.js';
import type { CoreLimits } from './limits.js';
import { census, startActor, type ActorCount, type QueueStatus } from './machine-host.js';
import type { Arrival } from './multicast-handler.js';

/** ms a peer has to close its side of a connection after it got its M_RESPONSE. */
const CLOSE_MS = 2_000;
/** So many times longer than the first is the second try of a connect. */
const SECOND_PATIENCE = 10;

export interface ResponsesOptions {
  readonly clock: Clock;
  readonly substrate: Substrate;
  readonly counters: Counters;
  readonly limits: CoreLimits;
}

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly to: Arrival;
  /** Until then its discovery is taken to be under way. */
  readonly until: number;
  /** Its first connect had to make room. */
  second: boolean;
}

interface UnderWay {
  readonly actor: Actor<typeof discoveryResponseMachine>;
  readonly outgoing: Outgoing;
}

export class Responses {
  readonly #options: ResponsesOptions;
  readonly #responses = new Map<number, UnderWay>();
  readonly #perSource = new Map<string, number>();
  /** Not connected yet, by number, with the time they began; first and second tries, each the oldest first. */
  readonly #connecting: readonly [Map<number, number>, Map<number, number>] = [new Map(), new Map()];
  /** Those for whom all places are taken. */
  readonly #waiting: LastInFirstOut<Outgoing>;
  /** Those whose connect has given its place up once; the one that did so first is first. */
  readonly #seconds = new Set<Outgoing>();
  /** Those whose source has all its places taken, by source. */
  readonly #parked = new Map<string, LastInFirstOut<Outgoing>>();
  #parkedCount = 0;
  #yieldTimer: TimerId | undefined;
  #next = 1;
  #closed = false;

  constructor(options: ResponsesOptions) {
    this.#options = options;
    this.#waiting = new LastInFirstOut(options.limits.responsesWaiting);
  }

  /** To the source of the datagram, never to the address in an initiator field (§2.5.4.4). */
  send(bytes: Uint8Array, to: Arrival): void {
    // The discovery came over a stream: the answer goes there (G-2.5.4.2-03).
    if (to.reply) return to.reply.send(bytes);
    const { clock, limits } = this.#options;
    this.#place({ bytes, to, until: clock.now() + limits.responseWaitMs, second: false });
    this.#makeRoom();
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    const { limits } = this.#options;
    return {
      actors: census([...this.#responses.values()].map(({ actor }) => actor)),
      queues: [
        { name: 'response.in-flight', length: this.#responses.size, limit: limits.responsesInFlight },
        { name: 'response.waiting', length: this.#waitingCount, limit: limits.responsesWaiting },
      ],
    };
  }

  close(): void {
    this.#closed = true;
    this.#options.clock.clearTimeout(this.#yieldTimer);
    this.#waiting.clear();
    this.#seconds.clear();
    this.#parked.clear();
    for (const { actor } of [...this.#responses.values()]) actor.send({ type: 'stopped' });
  }

  get #waitingCount(): number {
    return this.#waiting.size + this.#seconds.size + this.#parkedCount;
  }

  #place(outgoing: Outgoing): void {
    const { limits } = this.#options;
    const { address } = outgoing.to;
    if ((this.#perSource.get(address) ?? 0) >= limits.responsesPerSource) return this.#park(outgoing);
    if (this.#responses.size < limits.responsesInFlight) return this.#begin(outgoing);
    this.#shedBeyondLimit();
    const gone = this.#waiting.push(outgoing);
    if (gone) this.#shed(gone);
  }

  #park(outgoing: Outgoing): void {
    const { limits } = this.#options;
    const { address } = outgoing.to;
    this.#shedBeyondLimit();
    let parked = this.#parked.get(address);
    if (!parked) this.#parked.set(address, (parked = new LastInFirstOut(limits.responsesWaitingPerSource)));
    const gone = parked.push(outgoing);
    if (parked.size === 0) this.#parked.delete(address);
    if (gone) this.#shed(gone);
    else this.#parkedCount++;
  }

  /** Who waits longest without much hope goes first: second tries, then the oldest of those who wait. */
  #shedBeyondLimit(): void {
    if (this.#waitingCount < this.#options.limits.responsesWaiting) return;
    const [address] = this.#parked.keys();
    const gone =
      this.#takeSecond() ??
      this.#waiting.shift() ??
      (address === undefined ? undefined : this.#takeParked(address, (parked) => parked.shift()));
    if (gone) this.#shed(gone);
  }

  #shed({ to: { address } }: Outgoing): void {
    this.#options.counters.add('response.shed');
    // Others of its source may have waited for it to be over.
    if (!this.#perSource.has(address)) this.#unpark(address);
  }

  #takeParked(
    address: string,
    take: (parked: LastInFirstOut<Outgoing>) => Outgoing | undefined,
  ): Outgoing | undefined {
    const parked = this.#parked.get(address);
    const taken = parked && take(parked);
    if (!taken) return undefined;
    this.#parkedCount--;
    if (parked.size === 0) this.#parked.delete(address);
    return taken;
  }

  /** The newest of a source that has a place of its own again. */
  #unpark(address: string): void {
    const now = this.#options.clock.now();
    for (;;) {
      const next = this.#takeParked(address, (parked) => parked.pop());
      if (!next) return;
      if (next.until > now) return this.#place(next);
      this.#options.counters.add('response.shed');
    }
  }

  /** A place is free: to one of the same source first, as its turn comes; then to whoever waits. */
  #serve(address: string): void {
    if (this.#closed) return;
    const { clock, limits } = this.#options;
    const now = clock.now();
    this.#unpark(address);
    while (this.#responses.size < limits.responsesInFlight) {
      const outgoing = this.#waiting.pop() ?? this.#takeSecond();
      if (!outgoing) break;
      if (outgoing.until <= now) this.#shed(outgoing);
      else this.#place(outgoing);
    }
    this.#makeRoom();
  }

  #takeSecond(): Outgoing | undefined {
    const [first] = this.#seconds;
    if (first) this.#seconds.delete(first);
    return first;
  }

  /** While somebody waits, connects whose patience is over give way, now or when the timer says so. */
  #makeRoom(): void {
    const { clock, limits } = this.#options;
    clock.clearTimeout(this.#yieldTimer);
    this.#yieldTimer = undefined;
    if (this.#closed || this.#waiting.size + this.#seconds.size === 0) return;
    const now = clock.now();
    let earliest = Infinity;
    for (const [second, connecting] of this.#connecting.entries()) {
      // Second tries do not push each other out.
      if (second === 1 && this.#waiting.size === 0) continue;
      const patience = limits.responseYieldMs * (second === 1 ? SECOND_PATIENCE : 1);
      for (const [id, since] of connecting) {
        if (since + patience > now) {
          earliest = Math.min(earliest, since + patience);
          break;
        }
        const { actor, outgoing } = this.#responses.get(id)!;
        if (second === 1) this.#shed(outgoing);
        else {
          outgoing.second = true;
          this.#seconds.add(outgoing);
        }
        // Its place goes on to who waits, and this is gone through again from there.
        actor.send({ type: 'stopped' });
        return;
      }
    }
    if (earliest === Infinity) return;
    this.#yieldTimer = clock.setTimeout(() => this.#makeRoom(), Math.max(1, earliest - now));
  }

  #begin(outgoing: Outgoing): void {
    const { clock, substrate, counters, limits } = this.#options;
    const { bytes, to } = outgoing;
    this.#perSource.set(to.address, (this.#perSource.get(to.address) ?? 0) + 1);
    const id = this.#next++;
    const connecting = this.#connecting[outgoing.second ? 1 : 0];
    const giveUp = new Cancellation();
    let stream: Stream | undefined;
    let timer: TimerId | undefined;
    const port: DiscoveryResponsePort = {
      connect: () => {
        connecting.set(id, clock.now());
        const { address, port: number } = to;
        substrate
          .connect(
            { address, port: number, interface: to.interface || undefined },
            { timeoutMs: limits.responseConnectMs, signal: giveUp },
          )
          .then(
            (connected) => {
              stream = connected;
              connecting.delete(id);
              connected.setHandlers({
                onData: () => undefined,
                onEnd: () => undefined,
                onClose: () => send({ type: 'stream.closed' }),
              });
              // Given up while the answer was on its way.
              if (giveUp.aborted) return connected.abort();
              send({ type: 'stream.connected' });
            },
            () => send({ type: 'stream.failed' }),
          );
      },
      send: () => {
        stream?.write(bytes);
        stream?.end();
        timer = clock.setTimeout(() => send({ type: 'timer.expired' }), CLOSE_MS);
      },
      abort: () => stream?.abort(),
      count: (reason) => counters.add(reason),
      release: () => {
        clock.clearTimeout(timer);
        connecting.delete(id);
        giveUp.abort();
        if (!this.#responses.delete(id)) return;
        const left = (this.#perSource.get(to.address) ?? 1) - 1;
        if (left > 0) this.#perSource.set(to.address, left);
        else this.#perSource.delete(to.address);
        this.#serve(to.address);
      },
    };
    const actor = startActor(
      discoveryResponseMachine,
      { input: { port } },
      { counters, onError: () => (port.abort(), port.release()) },
    );
    const send = (event: DiscoveryResponseEvent): void => actor.send(event);
    this.#responses.set(id, { actor, outgoing });
  }
}
