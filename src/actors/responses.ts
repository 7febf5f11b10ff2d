/**
 * Answers to discoveries on their way: M_RESPONSE (RFC 8990 §2.5.4.4), own and relayed, each over a stream to the
 * source of its discovery. Nobody waits for them here.
 *
 * Places are few, because a spoofed source hangs in neighbour discovery for seconds. What finds no place waits, the
 * newest served first, since the asker's patience is short, and those before all others to whom a connect has succeeded
 * before. While anything waits, a connect that takes longer than
 * `responseYieldMs` gives its place up: who is there answers within a round trip. It gets a second, longer try when
 * nobody waits for a first one.
 *
 * How many connects may find nobody is bounded, too (`responseUnknownRate`): each leaves an entry in the host's neighbour
 * table for seconds, and a storm of spoofed discoveries must not fill that, or the host reaches nobody at all.
 */
import type { Actor, AnyActor } from 'xstate';
import { TokenBucket } from '../protocol/index.js';
import type { Clock, Counters, TimerId } from '../runtime/index.js';
import type { Stream, Substrate } from '../substrate/types.js';
import { Cancellation } from './cancellation.js';
import {
  discoveryResponseMachine,
  type DiscoveryResponseEvent,
  type DiscoveryResponsePort,
} from './discovery-response.js';
import { LastInFirstOut } from './last-in-first-out.js';
import { formsOf, type MachineForm } from './compiled-machine.js';
import type { CoreLimits } from './limits.js';
import { census, startActor, type ActorCount, type QueueStatus } from './machine-host.js';
import type { Arrival } from './multicast-handler.js';
import { StreamLinger } from './stream-linger.js';

/** So many times longer than the first is the second try of a connect. */
const SECOND_PATIENCE = 10;

const RESPONSE = formsOf(discoveryResponseMachine, (context) => ({ ...context }));

export interface ResponsesOptions {
  /** How the machines here are run. Default `compiled`. */
  readonly machines?: MachineForm | undefined;
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
  /** Those for whom all places are taken: to sources that have been there before, and to others. */
  readonly #waitingKnown: LastInFirstOut<Outgoing>;
  readonly #waiting: LastInFirstOut<Outgoing>;
  /** Sources to which a connect has succeeded; the one longest ago is first. */
  readonly #known = new Set<string>();
  /** Those whose connect has given its place up once; the one that did so first is first. */
  readonly #seconds = new Set<Outgoing>();
  /** Those whose source has all its places taken, by source. */
  readonly #parked = new Map<string, LastInFirstOut<Outgoing>>();
  #parkedCount = 0;
  /** Sources of whose places one has become free since the waiting were served last. */
  readonly #freed = new Set<string>();
  /** Connections that have brought their answer, until the peer closes its side too. */
  readonly #linger: StreamLinger;
  /** Connects to sources that are not known. */
  readonly #unknown: TokenBucket;
  #yieldTimer: TimerId | undefined;
  #unknownTimer: TimerId | undefined;
  #next = 1;
  #closed = false;

  constructor(options: ResponsesOptions) {
    this.#options = options;
    this.#unknown = new TokenBucket(options.limits.responseUnknownRate, options.limits.responseUnknownBurst);
    this.#linger = new StreamLinger(options.clock, options.counters, options.limits);
    this.#waiting = new LastInFirstOut(options.limits.responsesWaiting);
    this.#waitingKnown = new LastInFirstOut(options.limits.responsesWaiting);
  }

  /** To the source of the datagram, never to the address in an initiator field (§2.5.4.4). */
  send(bytes: Uint8Array, to: Arrival): void {
    // The discovery came over a stream: the answer goes there (G-2.5.4.2-03).
    if (to.reply) return to.reply.send(bytes);
    const { clock, limits } = this.#options;
    const outgoing = { bytes, to, until: clock.now() + limits.responseWaitMs, second: false };
    // Places that have become free meanwhile are for those who wait: a storm that comes in one turn begins no more
    // connects in it than there are places.
    this.#place(outgoing, this.#waitingFirst === 0);
    if (this.#waitingFirst > 0) {
      this.#awaitUnknown();
      this.#yieldTimer ??= clock.setTimeout(() => this.#makeRoom(), limits.responseYieldMs);
    }
  }

  get actors(): AnyActor[] {
    return [...this.#responses.values()].map(({ actor }) => actor);
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    const { limits } = this.#options;
    return {
      actors: census(this.actors),
      queues: [
        { name: 'response.in-flight', length: this.#responses.size, limit: limits.responsesInFlight },
        { name: 'response.waiting', length: this.#waitingCount, limit: limits.responsesWaiting },
        { name: 'response.lingering', length: this.#linger.size, limit: limits.lingeringStreams },
      ],
    };
  }

  close(): void {
    this.#closed = true;
    this.#options.clock.clearTimeout(this.#yieldTimer);
    this.#options.clock.clearTimeout(this.#unknownTimer);
    this.#waiting.clear();
    this.#waitingKnown.clear();
    this.#seconds.clear();
    this.#parked.clear();
    for (const { actor } of [...this.#responses.values()]) actor.send({ type: 'stopped' });
    this.#linger.abortAll();
  }

  get #waitingCount(): number {
    return this.#waitingFirst + this.#seconds.size + this.#parkedCount;
  }

  /** Those who wait for their first try. */
  get #waitingFirst(): number {
    return this.#waiting.size + this.#waitingKnown.size;
  }

  #place(outgoing: Outgoing, atOnce: boolean): void {
    const { limits } = this.#options;
    const { address } = outgoing.to;
    if ((this.#perSource.get(address) ?? 0) >= limits.responsesPerSource) return this.#park(outgoing);
    if (atOnce && this.#responses.size < limits.responsesInFlight && this.#mayBegin(outgoing)) {
      return this.#begin(outgoing);
    }
    this.#shedBeyondLimit();
    const gone = (this.#known.has(address) ? this.#waitingKnown : this.#waiting).push(outgoing);
    if (gone) this.#shed(gone);
  }

  /** A second try finds the neighbour entry of the first. */
  #mayBegin(outgoing: Outgoing): boolean {
    return !this.#isUnknown(outgoing) || this.#unknown.take(this.#options.clock.now());
  }

  #isUnknown({ to: { address }, second }: Outgoing): boolean {
    return !second && !this.#known.has(address);
  }

  /** Goes on when a source that is not known may be connected to again. */
  #awaitUnknown(): void {
    const { clock, limits } = this.#options;
    if (this.#waiting.size === 0 || this.#unknownTimer !== undefined) return;
    const ms = this.#unknown.wait(clock.now());
    if (ms === 0) return;
    // Sooner or later they have waited too long, whatever the rate is.
    this.#unknownTimer = clock.setTimeout(
      () => {
        this.#unknownTimer = undefined;
        this.#serve();
      },
      Math.min(ms, limits.responseWaitMs),
    );
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
      this.#waitingKnown.shift() ??
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
      if (next.until > now) return this.#place(next, true);
      this.#options.counters.add('response.shed');
    }
  }

  /**
   * A place is free; it is given away in a later turn. Where connects fail at once, one after the other must not keep
   * this thread from everything else.
   */
  #free(address: string): void {
    if (this.#closed) return;
    if (this.#freed.size === 0) this.#options.clock.defer(() => this.#serve());
    this.#freed.add(address);
  }

  /** To one of the same source first, as its turn comes; then to whoever waits. */
  #serve(): void {
    if (this.#closed) return;
    const { clock, limits } = this.#options;
    const freed = [...this.#freed];
    this.#freed.clear();
    for (const address of freed) this.#unpark(address);
    const now = clock.now();
    while (this.#responses.size < limits.responsesInFlight) {
      const outgoing = this.#waitingKnown.pop() ?? this.#takeUnknown(now) ?? this.#takeSecond();
      if (!outgoing) break;
      if (outgoing.until <= now) this.#shed(outgoing);
      else this.#place(outgoing, true);
    }
    this.#awaitUnknown();
    this.#makeRoom();
  }

  /** The newest, if one may be begun; else those that have waited too long still go. */
  #takeUnknown(now: number): Outgoing | undefined {
    if (this.#unknown.ready(now)) return this.#waiting.pop();
    const oldest = this.#waiting.first;
    return oldest && oldest.until <= now ? this.#waiting.shift() : undefined;
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
    if (this.#closed) return;
    const now = clock.now();
    const unknown = this.#unknown.ready(now) ? this.#waiting.size : 0;
    const wanted = this.#waitingKnown.size + unknown + this.#seconds.size;
    let earliest = Infinity;
    const giveWay: number[] = [];
    for (const [second, connecting] of this.#connecting.entries()) {
      const patience = limits.responseYieldMs * (second === 1 ? SECOND_PATIENCE : 1);
      for (const [id, since] of connecting) {
        if (giveWay.length >= wanted) break;
        if (since + patience > now) {
          earliest = Math.min(earliest, since + patience);
          break;
        }
        giveWay.push(id);
      }
    }
    for (const id of giveWay) {
      const { actor, outgoing } = this.#responses.get(id)!;
      if (outgoing.second) this.#shed(outgoing);
      else {
        outgoing.second = true;
        this.#seconds.add(outgoing);
      }
      actor.send({ type: 'stopped' });
    }
    // What has given way is served from in a later turn, and this is gone through again then.
    if (giveWay.length > 0 || earliest === Infinity) return;
    this.#yieldTimer = clock.setTimeout(() => this.#makeRoom(), Math.max(1, earliest - now));
  }

  #nowKnown(address: string): void {
    this.#known.delete(address);
    this.#known.add(address);
    if (this.#known.size <= this.#options.limits.responseKnownSources) return;
    for (const longestAgo of this.#known) {
      this.#known.delete(longestAgo);
      return;
    }
  }

  #begin(outgoing: Outgoing): void {
    const { clock, substrate, counters, limits } = this.#options;
    const { bytes, to } = outgoing;
    this.#perSource.set(to.address, (this.#perSource.get(to.address) ?? 0) + 1);
    const id = this.#next++;
    const connecting = this.#connecting[outgoing.second ? 1 : 0];
    const giveUp = new Cancellation();
    const unknown = this.#isUnknown(outgoing);
    let stream: Stream | undefined;
    const port: DiscoveryResponsePort = {
      get subject() {
        return { peer: to, interface: to.interface, role: 'responder' as const };
      },
      connect: () => {
        const since = clock.now();
        connecting.set(id, since);
        const { address, port: number } = to;
        substrate
          .connect(
            { address, port: number, interface: to.interface || undefined },
            { timeoutMs: limits.responseConnectMs, signal: giveUp },
          )
          .then(
            (connected) => {
              connecting.delete(id);
              if (unknown) this.#unknown.giveBack();
              this.#nowKnown(to.address);
              // Given up while the answer was on its way.
              if (giveUp.aborted) return dropped(connected);
              stream = connected;
              send({ type: 'stream.connected' });
            },
            () => {
              // Refused at once, by who is there or for want of a way: nobody was asked for in vain.
              const { responseYieldMs } = limits;
              if (unknown && !giveUp.aborted && clock.now() - since < responseYieldMs)
                this.#unknown.giveBack();
              send({ type: 'stream.failed' });
            },
          );
      },
      send: () => {
        stream!.write(bytes);
        counters.watcher?.passed({
          direction: 'sent',
          via: 'stream',
          bytes,
          peer: to,
          interface: to.interface,
        });
        this.#linger.finish(stream!);
      },
      count: (reason) => counters.add(reason),
      release: () => {
        connecting.delete(id);
        giveUp.abort();
        if (!this.#responses.delete(id)) return;
        const left = (this.#perSource.get(to.address) ?? 1) - 1;
        if (left > 0) this.#perSource.set(to.address, left);
        else this.#perSource.delete(to.address);
        this.#free(to.address);
      },
    };
    const actor = startActor(
      RESPONSE[this.#options.machines ?? 'compiled'],
      { input: { port } },
      { counters, onError: () => (stream?.abort(), port.release()) },
    );
    const send = (event: DiscoveryResponseEvent): void => actor.send(event);
    this.#responses.set(id, { actor, outgoing });
  }
}

/** Nobody wants it any more. */
function dropped(stream: Stream): void {
  stream.setHandlers({ onData: () => undefined, onEnd: () => undefined, onClose: () => undefined });
  stream.abort();
}
