/**
 * The engine under test, behind its adapter: a program in E's namespace that speaks JSON lines on stdin and stdout.
 * The protocol is described in docs/CONFORMANCE.md; {@link Engine} is its client, with a method per call.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { decode, encode, show } from './cbor.js';
import { Notice, type Journal } from './waiting.js';
import { Violation } from './peer.js';

/** The adapter says that the engine has no such function: the row does not apply. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported';
}

/** The call failed with an error code (RFC 8991 Appendix A). */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';

  constructor(
    readonly call: string,
    readonly code: number,
    detail: string,
  ) {
    super(`${call} failed with ${code}${detail ? ` (${detail})` : ''}`);
  }
}

export interface Hello {
  readonly protocol: number;
  readonly name: string;
  readonly version: string;
  readonly capabilities: readonly string[];
}

/** An objective in a call. `value`: what the suite encodes; `raw`: an encoded item, to be sent in tag 24. */
export interface ObjectiveArgument {
  readonly name: string;
  readonly negotiate?: boolean;
  readonly synchronize?: boolean;
  readonly dryRun?: boolean;
  readonly discoverable?: boolean;
  readonly loopCount?: number;
  readonly value?: unknown;
  readonly raw?: string;
}

/** An objective in an answer. */
export interface ObjectiveAnswer {
  readonly name: string;
  readonly loopCount: number;
  readonly dryRun?: boolean;
  /** Encoded, hex. */
  readonly value?: string | null;
  /** The item inside tag 24, hex, if the engine delivers it as raw CBOR. */
  readonly raw?: string;
}

export interface LocatorArgument {
  readonly kind: 'ipv6' | 'ipv4' | 'fqdn' | 'uri';
  readonly address: string;
  /** 6 TCP, 17 UDP. */
  readonly protocol: number | null;
  readonly port: number | null;
  readonly interface?: string;
}

export interface LocatorAnswer extends LocatorArgument {
  readonly diverted?: boolean;
  /** ms from now; null: never. */
  readonly expiresInMs?: number | null;
}

export type Answer =
  | { readonly state: 'accepted'; readonly objective?: ObjectiveAnswer }
  | { readonly state: 'offered'; readonly session: string; readonly objective: ObjectiveAnswer }
  | { readonly state: 'declined'; readonly reason: string };

export interface Incoming {
  readonly session: string;
  readonly objective: ObjectiveAnswer;
}

export interface FloodAnswer {
  readonly objective: ObjectiveAnswer;
  readonly locator: LocatorAnswer | null;
  readonly expiresInMs: number | null;
}

export interface InterfaceStatus {
  readonly name: string;
  readonly index?: number;
  readonly linkLocal?: string;
  readonly addresses: readonly string[];
}

export interface Status {
  readonly interfaces: readonly InterfaceStatus[];
  readonly security?: string;
}

export interface StartArguments {
  /** Which of several engines of the adapter; default 'main'. */
  readonly engine?: string;
  /** Default both. */
  readonly interfaces?: readonly string[];
  /** Default true: may run unprotected. False: neither protection nor that word, so calls give 16. */
  readonly insecure?: boolean;
  /** A DULL instance for these objectives. */
  readonly dull?: readonly string[];
  readonly ipv4?: boolean;
  /** RFC 8990 §2.5.5.1, §2.5.6.3: answers a discovery with M_SYNCH, M_NEGOTIATE, M_END. */
  readonly rapid?: boolean;
}

export interface RegisterArguments {
  readonly ttlMs?: number;
  readonly discoverable?: boolean;
  readonly overlap?: boolean;
  readonly local?: boolean;
  readonly rapid?: boolean;
  readonly locators?: readonly LocatorArgument[];
  readonly maxMessageBytes?: number;
}

interface Line {
  readonly id?: number;
  readonly event?: string;
  readonly call?: number;
  readonly ok?: Record<string, unknown>;
  readonly error?: { readonly code?: number; readonly message?: string };
  readonly unsupported?: boolean;
  readonly reason?: string;
}

interface Pending {
  readonly name: string;
  readonly resolve: (line: Line) => void;
  readonly reject: (error: Error) => void;
}

/** ms an adapter has for a call that waits for nobody. */
const PROMPT_MS = 10_000;

export class Adapter {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  /** Who hears of a call's events: callbacks come after its answer. */
  readonly #listeners = new Map<number, (event: Line) => void>();
  readonly notice: Notice;
  journal: Journal | undefined;
  stderr = '';
  /** What the engine was last said not to have: a row that waits in vain for its effect does not apply. */
  unsupported: string | undefined;
  /** How its process ended; undefined while it runs. */
  end: string | undefined;
  #lastId = 0;

  constructor(child: ChildProcess, notice = new Notice()) {
    this.#child = child;
    this.notice = notice;
    createInterface({ input: child.stdout! }).on('line', (text) => this.#line(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-4000);
    });
    child.stdin!.on('error', () => undefined); // its end is told by `close`
    child.once('error', (error) => this.#ended(error.message));
    child.once('close', (code, signal) => this.#ended(`exit ${signal ?? code}`));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends its process. */
  async close(): Promise<void> {
    this.#child.stdin!.end();
    if ((await this.notice.until(() => this.end, 2000)) === undefined) {
      this.#child.kill('SIGKILL');
      await this.notice.until(() => this.end, 2000);
    }
  }

  /** Makes a call. Rejects with {@link CallFailed} or {@link Unsupported}. */
  async call(
    name: string,
    args: object = {},
    onEvent?: (event: Record<string, unknown>) => void,
  ): Promise<Record<string, unknown>> {
    if (this.end !== undefined) throw new Violation(`the adapter has ended: ${this.end}: ${this.stderr}`);
    const id = ++this.#lastId;
    this.journal?.note(`E ${name} ${brief(args)}`);
    this.#child.stdin!.write(`${JSON.stringify({ id, call: name, ...args })}\n`);
    const line = await new Promise<Line>((resolve, reject) => {
      this.#pending.set(id, { name, resolve, reject });
      if (onEvent) this.#listeners.set(id, onEvent as (event: Line) => void);
    });
    if (line.unsupported) {
      this.unsupported = line.reason ?? `${name} is not supported`;
      throw new Unsupported(this.unsupported);
    }
    if (line.error) {
      const failure = new CallFailed(name, line.error.code ?? 3, line.error.message ?? '');
      this.journal?.note(`E ${failure.message}`);
      throw failure;
    }
    this.journal?.note(`E ${name} → ${brief(line.ok ?? {})}`);
    return line.ok ?? {};
  }

  /** A call that must be answered at once. */
  async promptly(name: string, args: object = {}): Promise<Record<string, unknown>> {
    let answer: { ok: Record<string, unknown> } | { error: Error } | undefined;
    this.call(name, args)
      .then(
        (ok) => (answer = { ok }),
        (error: Error) => (answer = { error }),
      )
      .finally(() => this.notice.changed());
    const got = await this.notice.until(() => answer, PROMPT_MS);
    if (!got) throw new Violation(`${name} is not answered within ${PROMPT_MS} ms`);
    if ('error' in got) throw got.error;
    return got.ok;
  }

  #line(text: string): void {
    let line: Line;
    try {
      line = JSON.parse(text) as Line;
    } catch {
      this.stderr += `no JSON line: ${text}\n`;
      return;
    }
    if (line.event !== undefined) {
      this.#listeners.get(line.call ?? -1)?.(line);
    } else if (line.id !== undefined) {
      const pending = this.#pending.get(line.id);
      this.#pending.delete(line.id);
      pending?.resolve(line);
    }
    this.notice.changed();
  }

  #ended(how: string): void {
    this.end ??= how;
    for (const { name, reject } of this.#pending.values()) {
      reject(new Violation(`the adapter ended during ${name}: ${how}: ${this.stderr}`));
    }
    this.#pending.clear();
    this.notice.changed();
  }
}

function brief(args: object): string {
  const text = JSON.stringify(args);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** A value in an answer; undefined if it is absent. */
export function valueOf(objective: ObjectiveAnswer | undefined): unknown {
  const hex = objective?.value;
  return hex === undefined || hex === null ? undefined : decode(Buffer.from(hex, 'hex'));
}

/** An ASA registered at the engine. */
export interface AsaHandle {
  /** asa_handle of RFC 8991 §2.3.2.5. */
  readonly handle: number;
  readonly name: string;
}

/** A listen under way: `request` is the request it serves, as soon as one has come. */
export interface Listen {
  readonly request: Promise<Incoming>;
}

/** The calls of one engine, typed. Each may be outstanding many times. */
export class Engine {
  readonly adapter: Adapter;
  /** Which of several engines of the adapter. */
  readonly label: string;

  constructor(adapter: Adapter, label = 'main') {
    this.adapter = adapter;
    this.label = label;
  }

  /** Any call; for what has no method here. */
  call(name: string, args: object = {}): Promise<Record<string, unknown>> {
    return this.adapter.call(name, { engine: this.label, ...args });
  }

  async start(args: StartArguments = {}): Promise<void> {
    await this.#prompt('start', { interfaces: ['i1', 'i2'], insecure: true, ...args });
  }

  async stop(): Promise<void> {
    await this.#prompt('stop', {});
  }

  async status(): Promise<Status> {
    return (await this.#prompt('status', {})) as unknown as Status;
  }

  async registerAsa(name = 'conformance'): Promise<AsaHandle> {
    const { handle } = await this.#prompt('registerAsa', { name });
    return { handle: handle as number, name };
  }

  async deregisterAsa(asa: AsaHandle): Promise<void> {
    await this.#prompt('deregisterAsa', { asa: asa.handle, name: asa.name });
  }

  async registerObjective(
    asa: AsaHandle,
    objective: ObjectiveArgument,
    args: RegisterArguments = {},
  ): Promise<void> {
    await this.#prompt('registerObjective', { asa: asa.handle, objective: argument(objective), ...args });
  }

  async deregisterObjective(asa: AsaHandle, objective: ObjectiveArgument): Promise<void> {
    await this.#prompt('deregisterObjective', { asa: asa.handle, objective: argument(objective) });
  }

  async discover(
    asa: AsaHandle,
    objective: ObjectiveArgument,
    args: { timeoutMs?: number; minimumTtlMs?: number; flush?: boolean; unicast?: LocatorArgument } = {},
  ): Promise<LocatorAnswer[]> {
    const answer = await this.call('discover', { asa: asa.handle, objective: argument(objective), ...args });
    return answer['locators'] as LocatorAnswer[];
  }

  async requestNegotiate(
    asa: AsaHandle,
    objective: ObjectiveArgument,
    args: { peer?: LocatorArgument; timeoutMs?: number } = {},
  ): Promise<Answer> {
    const call = { asa: asa.handle, objective: argument(objective), ...args };
    return (await this.call('requestNegotiate', call)) as unknown as Answer;
  }

  /** Resolves when the call is effective: the objective can be discovered, requests are taken. */
  async listenNegotiate(asa: AsaHandle, objective: ObjectiveArgument): Promise<Listen> {
    let listening = false;
    let failed: Error | undefined;
    const call = { engine: this.label, asa: asa.handle, objective: argument(objective) };
    const request = this.adapter.call('listenNegotiate', call, (event) => {
      if (event['event'] === 'listening') listening = true;
    }) as unknown as Promise<Incoming>;
    request.catch((error: Error) => {
      failed = error;
      this.adapter.notice.changed();
    });
    await this.adapter.notice.until(() => (listening || failed ? true : undefined), PROMPT_MS);
    if (failed) throw failed;
    if (!listening) throw new Violation(`listenNegotiate is not effective within ${PROMPT_MS} ms`);
    return { request };
  }

  async stopListenNegotiate(asa: AsaHandle, objective: ObjectiveArgument): Promise<void> {
    await this.#prompt('stopListenNegotiate', { asa: asa.handle, objective: argument(objective) });
  }

  /** `objective.loopCount`: the one received last; absent: the adapter takes that. */
  async negotiateStep(
    asa: AsaHandle,
    session: string,
    objective: ObjectiveArgument,
    args: { timeoutMs?: number } = {},
  ): Promise<Answer> {
    const call = { asa: asa.handle, session, objective: argument(objective), ...args };
    return (await this.call('negotiateStep', call)) as unknown as Answer;
  }

  async negotiateWait(asa: AsaHandle, session: string, timeoutMs: number): Promise<void> {
    await this.#prompt('negotiateWait', { asa: asa.handle, session, timeoutMs });
  }

  async endNegotiate(asa: AsaHandle, session: string, accept: boolean, reason?: string): Promise<void> {
    await this.#prompt('endNegotiate', { asa: asa.handle, session, accept, reason });
  }

  /** `info`: hex of bytes. */
  async sendInvalid(asa: AsaHandle, session: string, info?: string): Promise<void> {
    await this.#prompt('sendInvalid', { asa: asa.handle, session, info });
  }

  async synchronize(
    asa: AsaHandle,
    objective: ObjectiveArgument,
    args: { peer?: LocatorArgument; timeoutMs?: number } = {},
  ): Promise<ObjectiveAnswer> {
    const call = { asa: asa.handle, objective: argument(objective), ...args };
    return (await this.call('synchronize', call))['objective'] as ObjectiveAnswer;
  }

  async listenSynchronize(asa: AsaHandle, objective: ObjectiveArgument): Promise<void> {
    await this.#prompt('listenSynchronize', { asa: asa.handle, objective: argument(objective) });
  }

  async stopListenSynchronize(asa: AsaHandle, objective: ObjectiveArgument): Promise<void> {
    await this.#prompt('stopListenSynchronize', { asa: asa.handle, objective: argument(objective) });
  }

  async flood(
    asa: AsaHandle,
    ttlMs: number,
    tagged: readonly { objective: ObjectiveArgument; locator?: LocatorArgument | null }[],
  ): Promise<void> {
    const objectives = tagged.map((each) => ({
      objective: argument(each.objective),
      locator: each.locator ?? null,
    }));
    await this.#prompt('flood', { asa: asa.handle, ttlMs, objectives });
  }

  async getFlood(asa: AsaHandle, objective: ObjectiveArgument): Promise<FloodAnswer[]> {
    const answer = await this.#prompt('getFlood', { asa: asa.handle, objective: argument(objective) });
    return answer['floods'] as FloodAnswer[];
  }

  async expireFlood(
    asa: AsaHandle,
    objective: ObjectiveArgument,
    locator: LocatorArgument | null,
  ): Promise<void> {
    await this.#prompt('expireFlood', { asa: asa.handle, objective: argument(objective), locator });
  }

  #prompt(name: string, args: object): Promise<Record<string, unknown>> {
    return this.adapter.promptly(name, { engine: this.label, ...args });
  }
}

/** What an objective looks like in a call: its value as hex. */
function argument(objective: ObjectiveArgument): object {
  const { value, ...rest } = objective;
  return value === undefined ? rest : { ...rest, value: encode(value).toString('hex') };
}

/** The text of an answer, for reports. */
export function showAnswer(answer: Answer): string {
  return answer.state === 'declined'
    ? `declined ${JSON.stringify(answer.reason)}`
    : `${answer.state} ${show(valueOf(answer.objective))}`;
}
