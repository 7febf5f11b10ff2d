/** What a facade knows: its engine, the ASAs registered through it, their objectives and sessions. */
import { ErrorCode, GraspError } from '../../protocol/index.js';
import type { Clock } from '../../runtime/index.js';
import type { Asa } from '../asa.js';
import { Grasp } from '../grasp.js';
import type { Objective } from '../objective.js';
import type { NegotiationSession } from '../session.js';
import { copyOf, type objective, session_handle } from './classes.js';
import { misuse } from './keywords.js';
import { environmentOptions, startOptions, type configuration } from './settings.js';
import type { SingleListens } from './single-listen.js';

/** Objectives that `dump_all` can tell about. */
const MAX_NAMES = 1000;

/** One objective as an ASA has registered it here. */
export interface Registered {
  readonly objective: Objective;
  readonly listens: SingleListens;
}

export interface SessionRecord {
  readonly session: NegotiationSession;
  readonly handle: session_handle;
  /** As asked for or received first; name and flags of what later calls return. */
  readonly about: objective;
  /** Begun by `req_negotiate`: its `negotiate_step` answers in the older shape. */
  readonly older: boolean;
}

export class AsaRecord {
  readonly asa: Asa;
  readonly objectives = new Map<string, Registered>();
  /** Sessions that live, or whose end the ASA has not been told yet; for as long as the ASA keeps the handle. */
  readonly #sessions = new WeakMap<session_handle, SessionRecord>();
  /** Sessions that changed since the last `notify`; collected from the first one on. */
  readonly changed = new Set<session_handle>();
  notified = false;
  /** Polled calls whose result has come and has been neither fetched nor told by `notify`. */
  readonly ready = new Set<unknown>();

  constructor(asa: Asa) {
    this.asa = asa;
  }

  /** The objective as registered by this ASA; else notYourObj (13). */
  registered(name: string): Registered {
    const found = this.objectives.get(name);
    if (!found) throw new GraspError(ErrorCode.notYourObj, JSON.stringify(name));
    return found;
  }

  /** The session behind a handle of this ASA; else noSession (19). */
  session(handle: unknown): SessionRecord {
    const found = handle instanceof session_handle ? this.#sessions.get(handle) : undefined;
    if (!found) throw new GraspError(ErrorCode.noSession);
    return found;
  }

  isOlder(handle: unknown): boolean {
    return handle instanceof session_handle && (this.#sessions.get(handle)?.older ?? false);
  }

  open(
    session: NegotiationSession,
    about: objective,
    options: { handle?: session_handle | undefined; older?: boolean | undefined } = {},
  ): SessionRecord {
    const { handle = new session_handle(), older = false } = options;
    handle.bind(session.sessionId, session.remote);
    const record: SessionRecord = { session, handle, about, older };
    this.#sessions.set(handle, record);
    // RFC 8991 §2.2.3: an end that comes while no call waits is a change too.
    session.signal.addEventListener('abort', () => this.noteChange(handle), { once: true });
    return record;
  }

  noteChange(handle: session_handle): void {
    if (this.notified) this.changed.add(handle);
  }

  /** After a call: a session that is over is forgotten, for the ASA has been told. Later calls get 19. */
  forgetIfOver(record: SessionRecord): void {
    if (!record.session.ended) return;
    this.#sessions.delete(record.handle);
    this.changed.delete(record.handle);
  }
}

export class State {
  readonly asas = new Map<number, AsaRecord>();
  /** Objectives this process has asked about lately, for `dump_all`. */
  readonly names = new Set<string>();
  configuration: configuration;
  listen_self = false;
  test_divert = false;
  /** The error behind the last code that was not 0; results hold the number only. */
  lastError: GraspError | null = null;
  #grasp: Grasp | undefined;
  #starting: Promise<Grasp> | undefined;
  readonly #given: boolean;

  /** @param grasp an engine that runs already; otherwise one is started by the first `register_asa`. */
  constructor(grasp: Grasp | undefined, wanted: configuration) {
    this.#grasp = grasp;
    this.#given = grasp !== undefined;
    this.configuration = wanted;
  }

  askedAbout(name: string): void {
    this.names.delete(name);
    this.names.add(name);
    const [oldest] = this.names;
    if (this.names.size > MAX_NAMES && oldest !== undefined) this.names.delete(oldest);
  }

  get started(): boolean {
    return this.#grasp !== undefined || this.#starting !== undefined;
  }

  get running(): boolean {
    return this.#grasp !== undefined;
  }

  /** The engine that runs; noASA (6) before the first registration, as no handle can be valid then. */
  get grasp(): Grasp {
    if (!this.#grasp) throw new GraspError(ErrorCode.noASA, 'register_asa comes first');
    return this.#grasp;
  }

  get clock(): Clock {
    return this.grasp.clock;
  }

  configure(wanted: configuration): void {
    if (this.started) throw misuse('the engine runs already: configure it before register_asa');
    this.configuration = { ...this.configuration, ...wanted };
  }

  /** The engine, started if need be. A start that failed may be tried again. */
  start(): Promise<Grasp> {
    if (this.#grasp) return Promise.resolve(this.#grasp);
    this.#starting ??= this.#start().finally(() => (this.#starting = undefined));
    return this.#starting;
  }

  async #start(): Promise<Grasp> {
    const wanted = { ...environmentOptions(process.env), ...this.configuration };
    if (this.configuration.substrate) {
      // What the environment says is about real links.
      delete (wanted as { interfaces?: unknown }).interfaces;
      delete (wanted as { insecure?: unknown }).insecure;
    }
    const options = startOptions({ ...wanted, ...this.#asked(this.configuration) });
    this.#grasp = await Grasp.start({
      ...options,
      ...(this.listen_self ? { listenSelf: true } : {}),
      ...(this.test_divert ? { testing: { ...options.testing, forceDivert: true } } : {}),
    });
    return this.#grasp;
  }

  /** What was given by name beside a substrate is for `startOptions` to refuse. */
  #asked(given: configuration): configuration {
    const { interfaces, insecure } = given;
    return {
      ...(interfaces === undefined ? {} : { interfaces }),
      ...(insecure === undefined ? {} : { insecure }),
    };
  }

  /**
   * Ends the engine; every waiting call gives 42. The next register_asa starts another. One that was handed in goes on
   * without the ASAs registered here, whose waiting calls are told so.
   */
  async close(): Promise<void> {
    const grasp = this.#grasp ?? (await this.#starting);
    const records = [...this.asas.values()];
    for (const record of records) {
      for (const { listens } of record.objectives.values()) listens.release();
    }
    this.asas.clear();
    if (this.#given) {
      await Promise.all(records.map(({ asa }) => deregistered(asa)));
      return;
    }
    this.#grasp = undefined;
    await grasp?.close();
  }

  /** The ASA of a handle; else noASA (6): RFC 8991 §2.3.2.7. */
  asa(handle: unknown): AsaRecord {
    const found = typeof handle === 'number' ? this.asas.get(handle) : undefined;
    if (!found) throw new GraspError(ErrorCode.noASA);
    return found;
  }

  /** 16 where a call does not come by the engine's own check. */
  async assertSecure(): Promise<void> {
    const { security } = await this.grasp.status();
    if (security === 'none') throw new GraspError(ErrorCode.noSecurity);
  }
}

/** The engine may have been closed before. */
async function deregistered(asa: Asa): Promise<void> {
  try {
    await asa.deregister();
  } catch (error) {
    if (!GraspError.is(error) || error.code !== ErrorCode.closed) throw error;
  }
}

/** A copy of an objective that was handed in, after the checks that need nothing but it (api.md §3). */
export function checkedObjective(given: unknown): objective {
  if (typeof given !== 'object' || given === null || !('name' in given) || typeof given.name !== 'string') {
    throw misuse('an objective has a name');
  }
  const copy = copyOf(given as objective);
  // RFC 8991 §2.3.2.3: "neg" and "synch" exclude each other, "dry" needs "neg" (D-01).
  if (copy.neg && copy.synch) throw new GraspError(ErrorCode.notBoth, JSON.stringify(copy.name));
  if (copy.dry && !copy.neg) throw new GraspError(ErrorCode.notDry, JSON.stringify(copy.name));
  return copy;
}
