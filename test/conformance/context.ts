/** What a row works with: the engine, the peers, and the words of the requirements' tests. See rows.ts. */
import {
  CallFailed,
  Engine,
  Unsupported,
  showAnswer,
  valueOf,
  type Adapter,
  type Answer,
  type AsaHandle,
  type Incoming,
  type ObjectiveAnswer,
  type LocatorAnswer,
  type LocatorArgument,
  type ObjectiveArgument,
  type RegisterArguments,
} from './adapter.js';
import { same, show } from './cbor.js';
import type { RowLab } from './lab.js';
import {
  Pair,
  Violation,
  type Arrived,
  type Conn,
  type Datagram,
  type PairOptions,
  type Peer,
} from './peer.js';
import { now, patient, type Journal, type Notice } from './waiting.js';
import {
  DISC,
  freshSid,
  isLinkLocal,
  locator,
  M_DISCOVERY,
  M_RESPONSE,
  message,
  NEG,
  O_IPv6_LOCATOR,
  SYNCH,
  TCP,
  addressText,
} from './wire.js';

/** A discovery a peer has sent. */
export interface Discovery {
  readonly peer: Peer;
  readonly pair: Pair;
  readonly sid: number;
  readonly initiator: Buffer;
  readonly message: readonly unknown[];
}

export interface DiscoveryOptions {
  readonly loopCount?: number;
  readonly flags?: number;
  /** The objective has a value: rapid mode. */
  readonly value?: unknown;
  readonly sid?: number;
  readonly initiator?: Uint8Array;
  /** Sent from an earlier discovery's pair instead of a new one. */
  readonly pair?: Pair;
  readonly pairOptions?: PairOptions;
  /** Default P. */
  readonly from?: Peer;
}

export interface FloodOptions {
  readonly loopCount?: number;
  readonly flags?: number;
  readonly value?: unknown;
  readonly ttl?: number;
  readonly sid?: number;
  readonly initiator?: Uint8Array;
  readonly locator?: unknown;
  readonly from?: Peer;
}

/** A negotiation or synchronization a peer has begun at E. */
export interface Requested {
  readonly conn: Conn;
  readonly sid: number;
}

/** Where E takes requests for an objective. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

export class T {
  readonly id: string;
  readonly lab: RowLab;
  readonly engine: Engine;
  readonly journal: Journal;
  /** ms of a silence. */
  readonly silenceMs: number;
  readonly #adapter: Adapter;
  readonly #notice: Notice;
  readonly #startAdapter: (prefix: readonly string[]) => Promise<Adapter>;
  readonly #capabilities: ReadonlySet<string>;
  #asa: Promise<AsaHandle> | undefined;
  #alive: Promise<unknown> | undefined;
  #names = 0;

  constructor(row: {
    id: string;
    lab: RowLab;
    adapter: Adapter;
    journal: Journal;
    notice: Notice;
    silenceMs: number;
    capabilities: ReadonlySet<string>;
    startAdapter: (prefix: readonly string[]) => Promise<Adapter>;
  }) {
    this.#startAdapter = row.startAdapter;
    this.id = row.id;
    this.lab = row.lab;
    this.journal = row.journal;
    this.silenceMs = row.silenceMs;
    this.#adapter = row.adapter;
    this.#notice = row.notice;
    this.#capabilities = row.capabilities;
    this.engine = new Engine(row.adapter);
  }

  get p(): Peer {
    return this.lab.p;
  }

  get p2(): Peer {
    return this.lab.p2;
  }

  get q(): Peer {
    return this.lab.q;
  }

  /** Process id of the adapter, for signals. */
  get pid(): number {
    return this.#adapter.pid;
  }

  can(capability: string): boolean {
    return this.#capabilities.has(capability);
  }

  /** A further engine of the same adapter; not started. */
  otherEngine(label: string): Engine {
    return new Engine(this.#adapter, label);
  }

  // ---- what E is made to do -------------------------------------------------------------------------------------

  /** One ASA for rows that need no more. */
  asa(): Promise<AsaHandle> {
    this.#asa ??= this.engine.registerAsa();
    return this.#asa;
  }

  /** Registers an objective for {@link asa}. */
  async registered(objective: ObjectiveArgument, options: RegisterArguments = {}): Promise<AsaHandle> {
    const asa = await this.asa();
    await this.engine.registerObjective(asa, objective, options);
    return asa;
  }

  /** Registers a negotiation objective and listens; `requests` counts how many listens are pending. */
  async listening(
    objective: ObjectiveArgument,
    options: RegisterArguments = {},
  ): Promise<{ asa: AsaHandle; request: Promise<Incoming> }> {
    const asa = await this.registered({ negotiate: true, ...objective }, options);
    const { request } = await this.engine.listenNegotiate(asa, { negotiate: true, ...objective });
    return { asa, request };
  }

  /** Registers a synchronization objective and listens with its value. */
  async synchronizing(objective: ObjectiveArgument, options: RegisterArguments = {}): Promise<AsaHandle> {
    const asa = await this.registered({ synchronize: true, ...objective }, options);
    await this.engine.listenSynchronize(asa, { synchronize: true, ...objective });
    return asa;
  }

  // ---- what the peers do ----------------------------------------------------------------------------------------

  /** disc(name, loop count): from P, a fresh session ID, from a port on which P also accepts TCP. */
  async disc(name: string, options: DiscoveryOptions = {}): Promise<Discovery> {
    const peer = options.from ?? this.p;
    const pair = options.pair ?? (await peer.pair(options.pairOptions));
    const { sid = freshSid(), flags = DISC, loopCount = 6 } = options;
    const initiator = Buffer.from(options.initiator ?? peer.initiator);
    const objective = [name, flags, loopCount, ...('value' in options ? [options.value] : [])];
    const discovery = message.discovery(sid, initiator, objective);
    await pair.multicast(discovery);
    return { peer, pair, sid, initiator, message: discovery };
  }

  /** flood(name, loop count): from P, a fresh session ID; returns it. */
  async flood(name: string, options: FloodOptions = {}): Promise<number> {
    const peer = options.from ?? this.p;
    const { sid = freshSid(), ttl = 60_000, flags = SYNCH, loopCount = 6 } = options;
    const { value = 1, initiator = peer.initiator, locator: place = [] } = options;
    const objective = [name, flags, loopCount, value];
    const sender = await peer.pair({ tcp: false });
    await sender.multicast(message.flood(sid, initiator, ttl, [objective, place]));
    return sid;
  }

  /** The M_RESPONSE to a discovery; fails if there is none within `ms`. */
  async response(discovery: Discovery, ms = 2000, n = 0): Promise<Arrived & { conn: Conn }> {
    const conn = await discovery.pair.accept(ms, n);
    const arrived = await conn.next(1000);
    this.equal(arrived.message[0], M_RESPONSE, 'message type of the response');
    this.equal(arrived.message[1], discovery.sid, 'session ID of the response');
    this.same(arrived.message[2], discovery.initiator, 'initiator of the response');
    return { ...arrived, conn };
  }

  /** A peer discovers what E offers: the response and the first IPv6 TCP locator in it. */
  async discovered(
    peer: Peer,
    name: string,
    options: DiscoveryOptions = {},
  ): Promise<{ response: unknown[]; place: Place; discovery: Discovery }> {
    const discovery = await this.disc(name, { ...options, from: peer });
    const { message: response } = await this.response(discovery);
    return { response, place: this.placeIn(response), discovery };
  }

  /** The first IPv6 TCP locator of an M_RESPONSE. */
  placeIn(response: readonly unknown[]): Place {
    for (const item of response.slice(4)) {
      if (!Array.isArray(item) || item[0] !== O_IPv6_LOCATOR) continue;
      const [, address, protocol, port] = item as unknown[];
      if (protocol !== TCP || typeof port !== 'number' || !(address instanceof Uint8Array)) continue;
      return { address: addressText(address), port };
    }
    throw new Violation(`no IPv6 TCP locator in ${show(response)}`);
  }

  /** A peer connects to E's place for an objective and sends M_REQ_NEG. */
  async request(
    place: Place,
    objective: { name: string; value?: unknown; loopCount?: number; flags?: number },
    options: { from?: Peer; sid?: number } = {},
  ): Promise<Requested> {
    const conn = await (options.from ?? this.p).connect(place.address, place.port);
    const sid = options.sid ?? freshSid();
    const { name, value = 1, loopCount = 6, flags = NEG } = objective;
    await conn.send(message.requestNegotiate(sid, [name, flags, loopCount, value]));
    return { conn, sid };
  }

  /** The same with M_REQ_SYN; without value: three elements. */
  async requestSynch(
    place: Place,
    objective: { name: string; value?: unknown; loopCount?: number; flags?: number },
    options: { from?: Peer; sid?: number } = {},
  ): Promise<Requested> {
    const conn = await (options.from ?? this.p).connect(place.address, place.port);
    const sid = options.sid ?? freshSid();
    const { name, loopCount = 6, flags = SYNCH } = objective;
    const value = 'value' in objective ? [objective.value] : [];
    await conn.send(message.requestSynchronize(sid, [name, flags, loopCount, ...value]));
    return { conn, sid };
  }

  /** A locator of a peer in a call to E. */
  locatorOf(peer: Peer, port: number): LocatorArgument {
    return { kind: 'ipv6', address: peer.global, protocol: TCP, port, interface: peer.interface };
  }

  /** Answers a discovery of E that a peer has heard, as a node that offers the objective at `port`. */
  async respond(
    peer: Peer,
    to: { message: readonly unknown[] | undefined; address: string; port: number },
    content: { ttl?: number; locators?: readonly unknown[]; port?: number; objective?: unknown } = {},
  ): Promise<Conn> {
    const [, sid, initiator] = to.message!;
    const { ttl = 60_000, port = 9, locators = [locator(peer.global, port)], objective } = content;
    const conn = await peer.connect(to.address, to.port);
    const rest = objective === undefined ? locators : [...locators, objective];
    await conn.send(message.response(sid as number, initiator as Buffer, ttl, ...rest));
    await conn.finish();
    return conn;
  }

  /** E discovers an objective, and these peers answer: what the call returns. */
  async learn(
    name: string,
    peers: readonly Peer[],
    content: { ttl?: number; locators?: readonly unknown[]; port?: number; timeoutMs?: number } = {},
  ): Promise<LocatorAnswer[]> {
    const { timeoutMs = 600, ...rest } = content;
    const before = peers.map((peer) => peer.multicasts.length);
    const call = this.engine.discover(await this.asa(), { name }, { timeoutMs: patient(timeoutMs) });
    await Promise.all(
      peers.map(async (peer, i) => {
        const asked = await this.heard(peer, M_DISCOVERY, { name, from: before[i]! });
        await this.respond(peer, asked, rest);
      }),
    );
    return call;
  }

  /** How many multicasts of this type (and name, session ID) a peer has heard so far. */
  count(peer: Peer, type: number, which: { name?: string; sid?: number } = {}): number {
    const { name, sid } = which;
    return peer.heard(
      (m) =>
        m[0] === type &&
        (sid === undefined || m[1] === sid) &&
        (name === undefined || objectiveName(m) === name),
    ).length;
  }

  /** Waits until a peer hears a multicast of this type (and, if given, objective name, session ID). */
  async heard(
    peer: Peer,
    type: number,
    which: { name?: string; sid?: number; ms?: number; from?: number } = {},
  ): Promise<Datagram & { message: unknown[] }> {
    const { name, sid, ms = 1000, from = 0 } = which;
    const found = await peer.hears(
      (m) =>
        m[0] === type &&
        (sid === undefined || m[1] === sid) &&
        (name === undefined || objectiveName(m) === name),
      ms,
      from,
    );
    if (!found) {
      const what = `${type === 1 ? 'M_DISCOVERY' : type === 9 ? 'M_FLOOD' : `message ${type}`}${name ? ` of ${name}` : ''}`;
      throw new Violation(`${peer.name} hears no ${what} within ${ms} ms`);
    }
    return found as Datagram & { message: unknown[] };
  }

  // ---- what must be so ------------------------------------------------------------------------------------------

  /**
   * Nothing of E related to these: no connection or datagram to a discovery's pair (or to a pair), no relayed copy of a
   * session ID. What was answered before counts too: use a fresh pair.
   */
  async silence(...about: readonly (Discovery | Pair | number)[]): Promise<void> {
    const pairs = about.flatMap((each) => (each instanceof Pair ? each : isDiscovery(each) ? each.pair : []));
    const sids = new Set<unknown>(about.map((each) => (isDiscovery(each) ? each.sid : each)));
    await this.never(
      () => {
        for (const pair of pairs) {
          if (pair.connections.length > 0) return `E connects to port ${pair.port}`;
          if (pair.datagrams.length > 0) return `E sends UDP to port ${pair.port}`;
        }
        for (const peer of this.lab.peers) {
          const copy = peer.multicasts.find(({ message: m }) => m && sids.has(m[1]));
          if (copy) return `${peer.name} hears a copy: ${show(copy.message)}`;
        }
        return undefined;
      },
      this.silenceMs,
      'no silence',
    );
  }

  /** Watches for `ms` that `look` finds nothing. */
  async never(look: () => string | undefined, ms: number, what: string): Promise<void> {
    const found = await this.#notice.during(look, ms);
    if (found !== undefined) throw new Violation(`${what}: ${found}`);
  }

  /** Waits until `look` finds something; fails after `ms`. Checked whenever something happens. */
  async until<X>(look: () => X | undefined, ms: number, what: string): Promise<X> {
    const found = await this.#notice.until(look, ms);
    if (found === undefined) throw new Violation(`${what}: not within ${ms} ms`);
    return found;
  }

  /** Asks E again and again, `everyMs` after each answer, until `good` likes it; fails after `ms`. */
  async eventually<X>(ask: () => Promise<X>, good: (x: X) => boolean, ms: number, what: string): Promise<X> {
    const until = now() + patient(ms);
    for (;;) {
      const answer = await ask();
      if (good(answer)) return answer;
      if (now() >= until) throw new Violation(`${what}: not within ${ms} ms, last ${brief(answer)}`);
      await this.#notice.during(() => undefined, 50);
    }
  }

  /** E still answers a discovery: what went before did it no harm. */
  async alive(): Promise<void> {
    const name = 'EX9';
    this.#alive ??= (async () => {
      const asa = await this.engine.registerAsa('alive');
      await this.engine.registerObjective(asa, { name, negotiate: true });
      const { request } = await this.engine.listenNegotiate(asa, { name, negotiate: true });
      request.catch(() => undefined); // ended with the engine
    })();
    await this.#alive;
    try {
      await this.discovered(this.p, name);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      throw new Violation(`E no longer answers a discovery: ${error.message}`);
    }
  }

  /** From now on the row has IPv4 too: addresses everywhere (`t.p.ipv4`), and the peers hear 224.0.0.119. */
  ipv4(): Promise<void> {
    return this.lab.addIPv4();
  }

  /** A session ID not used before. */
  sid(): number {
    return freshSid();
  }

  /** ms; for what takes its time. */
  now(): number {
    return now();
  }

  /** The decoded value of an answer. */
  value(objective: ObjectiveAnswer | undefined): unknown {
    return valueOf(objective);
  }

  /** Sends a signal to the adapter's process. */
  signal(signal: NodeJS.Signals): void {
    this.#adapter.kill(signal);
  }

  /** What comes of it; undefined if an expectation fails: for trying again. */
  async settled<X>(attempt: Promise<X>): Promise<X | undefined> {
    try {
      return await attempt;
    } catch (error) {
      if (error instanceof Violation) return undefined;
      throw error;
    }
  }

  /** A name no other part of the row uses. */
  name(): string {
    return `conformance.example:${++this.#names}`;
  }

  /** The row does not apply to this engine. */
  notApplicable(why: string): never {
    throw new Unsupported(why);
  }

  /** A further adapter in E's namespace, its command behind `prefix`; ends with the row. */
  async adapter(prefix: readonly string[]): Promise<Adapter> {
    const adapter = await this.#startAdapter(prefix);
    adapter.journal = this.journal;
    return adapter;
  }

  fail(why: string): never {
    throw new Violation(why);
  }

  ok(condition: unknown, what: string): void {
    if (!condition) throw new Violation(what);
  }

  equal<X>(actual: X, expected: X, what: string): void {
    if (!Object.is(actual, expected)) {
      throw new Violation(`${what}: ${brief(actual)} instead of ${brief(expected)}`);
    }
  }

  /** What must be there. */
  defined<X>(value: X, what: string): NonNullable<X> {
    if (value === undefined || value === null) throw new Violation(`${what}: nothing`);
    return value;
  }

  /** The answer is of this kind. */
  answer<S extends Answer['state']>(answer: Answer, state: S): Extract<Answer, { state: S }> {
    if (answer.state !== state) throw new Violation(`the ASA gets ${showAnswer(answer)} instead of ${state}`);
    return answer as Extract<Answer, { state: S }>;
  }

  /** The same CBOR item. */
  same(actual: unknown, expected: unknown, what: string): void {
    if (!same(actual, expected)) throw new Violation(`${what}: ${show(actual)} instead of ${show(expected)}`);
  }

  /** ± 10 % or 250 ms, the larger. */
  near(ms: number, expected: number, what: string): void {
    const most = Math.max(patient(250), expected / 10);
    if (Math.abs(ms - expected) > most) {
      throw new Violation(`${what}: ${ms.toFixed(0)} ms instead of ${expected} ± ${most.toFixed(0)} ms`);
    }
  }

  /** The call fails with this code, or one of these. */
  async code(
    expected: number | readonly number[],
    call: Promise<unknown>,
    what = 'error code',
  ): Promise<void> {
    const codes = typeof expected === 'number' ? [expected] : expected;
    try {
      const answer = await call;
      throw new Violation(`${what}: success (${brief(answer)}) instead of ${codes.join(' or ')}`);
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      if (!codes.includes(error.code)) {
        throw new Violation(`${what}: ${error.message} instead of ${codes.join(' or ')}`);
      }
    }
  }

  /** How long a call takes, whether it succeeds or fails. */
  async timed<X>(call: Promise<X>): Promise<{ ms: number; value?: X; error?: Error }> {
    const began = now();
    try {
      return { value: await call, ms: now() - began };
    } catch (error) {
      if (error instanceof Violation) throw error;
      return { error: error as Error, ms: now() - began };
    }
  }

  isLinkLocal(address: unknown): boolean {
    return address instanceof Uint8Array && isLinkLocal(address);
  }
}

function isDiscovery(each: Discovery | Pair | number): each is Discovery {
  return typeof each === 'object' && 'sid' in each;
}

/** Name of the (first) objective of a multicast. */
export function objectiveName(m: readonly unknown[]): unknown {
  const objective = m[0] === 9 ? (m[4] as unknown[] | undefined)?.[0] : m[3];
  return Array.isArray(objective) ? objective[0] : undefined;
}

function brief(value: unknown): string {
  if (value instanceof Uint8Array || Array.isArray(value)) return show(value).slice(0, 300);
  return (JSON.stringify(value) ?? String(value)).slice(0, 300);
}
