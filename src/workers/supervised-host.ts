/**
 * One supervised host: its thread (again and again), its control calls, and the machine that decides when it is
 * replaced. What is to be replayed into a new thread is the supervisor's business (`onReady`).
 */
import type { Actor } from 'xstate';
import { startActor } from '../actors/machine-host.js';
import { workerSupervisionMachine, type WorkerSupervisionPort } from '../actors/worker-supervision.js';
import { ErrorCode, GraspError } from '../protocol/index.js';
import { type Counters, type Clock, type TimerId } from '../runtime/index.js';
import { connect, serve, type Remote, type RemoteHandle } from './control.js';
import type { HostInit, HostRole } from './host-main.js';
import type { HostControl, HostEvents, HostSettings } from './host.js';
import type { Launched, Placement } from './placement.js';
import { isPort } from './ports.js';
import { RecentMaximum } from './recent-maximum.js';
import { StarvedTime } from './thread-time.js';
import type { SubstrateInit } from './substrate-init.js';

/** ms a new thread has to be ready; supervision by ticks begins then. */
const START_MS = 30_000;
/** A thread that was busy for longer than this between two ticks is asked for a proof of life, ms. */
const BUSY_MS = 10;
/** ms of life between two words of it to the machine. */
const ALIVE_MS = 1_000;
/** ms for which the longest lag of a thread is remembered at least. */
const LAG_MS = 10_000;

export interface SupervisedHostOptions {
  readonly name: string;
  readonly role: HostRole;
  readonly placement: Placement;
  /** The supervisor's own clock. */
  readonly clock: Clock;
  readonly counters: Counters;
  readonly hungAfterMs: number;
  /** False: an ASA's worker; when it ends it is not replaced. */
  readonly replaced: boolean;
  readonly settings: () => HostSettings;
  readonly substrate: () => { init: SubstrateInit; ports: object[] };
  /** Role `asa`: what the API side in that thread needs, and its ports. */
  readonly asa?: () => { init: unknown; ports: object[] };
  readonly events: HostEvents;
  /** The new thread is built: connect it and replay the desired state. */
  readonly onReady: (host: SupervisedHost) => Promise<void>;
  /** The thread is gone; `error` is what it ended with. */
  readonly onLost: (host: SupervisedHost, error: GraspError) => void;
}

export class SupervisedHost {
  readonly name: string;
  readonly role: HostRole;
  /** Times a thread was started in place of one that ended. */
  restarts = -1;
  readonly #options: SupervisedHostOptions;
  readonly #actor: Actor<typeof workerSupervisionMachine>;
  #launched: Launched | undefined;
  #remote: RemoteHandle<HostControl> | undefined;
  #ready: PromiseWithResolversLike;
  #isBuilt = false;
  #isReady = false;
  #ended: (() => void) | undefined;
  #pinged = false;
  #answered = false;
  #osThread: number | undefined;
  #starved = new StarvedTime();
  /** What {@link Launched.idleMs} was at the last tick. */
  #idleMs = 0;
  /** Life the machine has not been told of, ms. */
  #aliveMs = 0;
  #lag = new RecentMaximum(LAG_MS);
  #askedAt = 0;
  #lastError: Error | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: SupervisedHostOptions) {
    this.#options = options;
    this.name = options.name;
    this.role = options.role;
    this.#ready = withResolvers();
    let backoff: TimerId | undefined;
    const port: WorkerSupervisionPort = {
      get subject() {
        return { worker: options.name };
      },
      start: () => this.#launch(),
      terminate: () => this.#launched?.terminate(),
      lose: () => this.#lose(),
      startBackoff: (ms) => {
        backoff = options.clock.setTimeout(() => this.#actor.send({ type: 'backoff.expired' }), ms);
      },
      stopBackoff: () => options.clock.clearTimeout(backoff),
      ready: () => {
        this.#isBuilt = true;
        const remote = this.#remote;
        options.onReady(this).then(
          () => {
            // What a thread was told that has died meanwhile, the next one is still to be told.
            if (remote !== this.#remote) return;
            this.#isReady = true;
            this.#ready.resolve();
          },
          (error: unknown) => {
            // The new thread died under the replay: the next one gets it.
            if (remote === this.#remote) this.#replayFailed(error);
          },
        );
      },
      failed: () => {
        this.#ready.reject(this.#lossOf());
        this.#ready = withResolvers();
      },
    };
    this.#actor = startActor(
      workerSupervisionMachine,
      { input: { port, hungAfterMs: options.hungAfterMs } },
      { counters: options.counters, onError: (error) => this.#crashed(error) },
    );
  }

  /** Control calls to the thread that runs now. */
  calls<T extends HostControl>(): Remote<T> {
    if (!this.#remote) throw new GraspError(ErrorCode.engineLost, this.name);
    return this.#remote.calls as unknown as Remote<T>;
  }

  get threadId(): number {
    return this.#launched?.threadId ?? 0;
  }

  /** Of the machine; but a thread that has not been told yet all it is to do is still `starting` for who waits for it. */
  get state(): string {
    const state = this.#state;
    return state === 'running' && !this.#isReady ? 'starting' : state;
  }

  get #state(): string {
    const { status, value } = this.#actor.getSnapshot();
    return status === 'error' ? 'stopped' : value;
  }

  get actor(): Actor<typeof workerSupervisionMachine> {
    return this.#actor;
  }

  /**
   * The thread that runs now takes control calls. Of two hosts that start together, the one built later finds the
   * other built and connects both: each pair is connected once.
   */
  get isBuilt(): boolean {
    return this.#isBuilt;
  }

  /** Resolves when the thread that runs now, or the next one, works; rejects when it could not be started. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** ms the thread took at most to get to a question, lately; undefined: none was answered yet. */
  get lagMs(): number | undefined {
    const now = this.#options.clock.now();
    const answered = this.#lag.at(now);
    // One it has not got to yet.
    return this.#pinged ? Math.max(answered ?? 0, now - this.#askedAt) : answered;
  }

  /**
   * One tick of the supervisor, `ms` after the last. A thread that has waited for something to do since then is alive, and
   * need not be woken to say so; one that has been busy is asked for a proof of life.
   */
  tick(ms: number, onTime: boolean): void {
    if (this.#state !== 'running') return;
    const idleMs = this.#launched?.idleMs() ?? 0;
    const idled = idleMs - this.#idleMs;
    this.#idleMs = idleMs;
    if (idled > 0 || this.#answered) {
      this.#answered = false;
      this.#starved.forget();
      this.#aliveMs += ms;
      if (this.#aliveMs >= ALIVE_MS || this.#actor.getSnapshot().context.silentMs !== 0) {
        this.#actor.send({ type: 'tick', ms: this.#aliveMs, onTime, answered: true });
        this.#aliveMs = 0;
      }
    } else {
      // May be negative: the wait is known only when it is over.
      const heard = ms - this.#starved.since(this.#osThread);
      this.#actor.send({ type: 'tick', ms: heard, onTime, answered: false });
    }
    if (!this.#pinged && ms - idled > BUSY_MS && this.#state === 'running') this.#ask();
  }

  /** Asks for a proof of life. */
  #ask(): void {
    this.#pinged = true;
    const remote = this.#remote;
    const { clock } = this.#options;
    const askedAt = clock.now();
    this.#askedAt = askedAt;
    remote?.calls.ping().then(
      ({ osThread, at }) => {
        if (remote !== this.#remote) return;
        this.#osThread = osThread;
        // Both ends read one clock; how late this thread hears of it does not count.
        this.#lag.note(at - askedAt, clock.now());
        this.#pinged = false;
        this.#answered = true;
      },
      // Lost: the exit of the thread says so too.
      () => undefined,
    );
  }

  /** Ends the thread for good, in order if it answers within `graceMs`. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs).finally(() =>
      this.#ready.reject(new GraspError(ErrorCode.closed)),
    );
    return this.#stopping;
  }

  async #stop(graceMs: number): Promise<void> {
    const { clock } = this.#options;
    const remote = this.#remote;
    if (this.#state === 'running' && remote) {
      let timer: TimerId | undefined;
      const grace = new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, graceMs)));
      // A host that cannot close in order is ended all the same.
      await Promise.race([remote.calls.close().catch(() => undefined), grace]);
      clock.clearTimeout(timer);
    }
    if (this.#state === 'stopped') return;
    const ended = new Promise<void>((resolve) => (this.#ended = resolve));
    this.#actor.send({ type: 'stop' });
    if (this.#state === 'stopped') return;
    await ended;
  }

  #launch(): void {
    const { placement, name, role, settings } = this.#options;
    this.restarts++;
    this.#lastError = undefined;
    this.#pinged = false;
    this.#answered = false;
    this.#osThread = undefined;
    this.#starved = new StarvedTime();
    this.#idleMs = 0;
    this.#aliveMs = 0;
    this.#lag = new RecentMaximum(LAG_MS);
    const [control, controlThere] = placement.channel();
    const [events, eventsThere] = placement.channel();
    const substrate = this.#options.substrate();
    const asa = this.#options.asa?.();
    const remote = connect<HostControl>(placement.world.toEndpoint(control), isPort);
    this.#remote = remote;
    serve(this.#options.events, placement.world.toEndpoint(events), isPort);
    const init: HostInit = {
      role,
      name,
      settings: settings(),
      substrate: substrate.init,
      control: controlThere,
      events: eventsThere,
      asa: asa?.init,
    };
    const { clock } = this.#options;
    const late = clock.setTimeout(() => {
      this.#lastError = new GraspError(ErrorCode.engineLost, `${name} did not start within ${START_MS} ms`);
      this.#actor.send({ type: 'start.failed' });
    }, START_MS);
    const exited = (error: Error | undefined): void => {
      clock.clearTimeout(late);
      this.#lastError = error ?? this.#lastError;
      if (!this.#options.replaced) this.#actor.send({ type: 'stop' });
      this.#actor.send({ type: 'exited' });
      if (this.#state !== 'stopped') return;
      // It ended by itself, perhaps before anybody was told that it works: nobody must wait for it any more.
      if (!this.#stopping) this.#ready.reject(this.#lossOf());
      this.#ended?.();
    };
    const ports = [controlThere, eventsThere, ...substrate.ports, ...(asa?.ports ?? [])];
    try {
      this.#launched = placement.launch(init, ports, exited);
    } catch (error) {
      // The system gives no thread. In a later turn, for the machine is on its way to the state of one that starts.
      clock.defer(() => exited(asError(error)));
    }
    remote.calls.ready().then(
      () => {
        clock.clearTimeout(late);
        if (remote !== this.#remote) return;
        this.#actor.send({ type: 'started' });
        // At once: until it has answered, nobody knows which thread of the system it is, and so whether it is starved.
        this.#ask();
      },
      (error: unknown) => {
        // Its ports close before it is known what it ended with: that comes with its exit.
        if (GraspError.is(error) && error.code === ErrorCode.engineLost) return;
        clock.clearTimeout(late);
        // Of a thread that has been given up already.
        if (remote !== this.#remote) return;
        this.#lastError = asError(error);
        this.#actor.send({ type: 'start.failed' });
      },
    );
  }

  /** What those are told who have to do with the thread that ended last. */
  #lossOf(): GraspError {
    const cause = this.#lastError;
    if (GraspError.is(cause)) return cause;
    const detail = cause ? `${this.name} worker: ${cause.message}` : `${this.name} worker ended`;
    return new GraspError(ErrorCode.engineLost, detail, { cause });
  }

  #lose(): void {
    const error = new GraspError(ErrorCode.engineLost, `${this.name} worker ended`, {
      cause: this.#lastError,
    });
    this.#remote?.lose(error);
    this.#remote = undefined;
    this.#launched = undefined;
    this.#isBuilt = false;
    if (this.#isReady) {
      this.#isReady = false;
      this.#ready = withResolvers();
    }
    this.#options.onLost(this, error);
  }

  /** A fault of this engine: supervision has ended, and with it the host. */
  #crashed(error: unknown): void {
    this.#lastError = asError(error);
    this.#ready.reject(this.#lossOf());
    this.#launched?.terminate();
    this.#ended?.();
  }

  /** The thread cannot be told what it is to do: it is of no use, and replaced. */
  #replayFailed(error: unknown): void {
    this.#lastError = asError(error);
    this.#ready.reject(this.#lossOf());
    // Whoever asks from now on waits for the next thread.
    this.#ready = withResolvers();
    this.#launched?.terminate();
  }
}

interface PromiseWithResolversLike {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function withResolvers(): PromiseWithResolversLike {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Whoever waits hears of a rejection; nobody waiting is no failure of the process.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
