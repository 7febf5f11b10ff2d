/**
 * Draws the session ids of the whole engine (RFC 8990 §2.7) in blocks, and sees to it that every session host
 * knows a block as the engine's own before its owner uses it. So the clash rule (§2.8.6, C-06) needs no round
 * trip. One per engine, in the core.
 */
import type { SessionIdSource } from '../protocol/index.js';
import { DataPort, type Clock, type Endpoint } from '../runtime/index.js';
import type { Target } from '../substrate/types.js';
import type { FromSessionHost, RapidRequest, ToSessionHost } from './core-protocol.js';

/** ms that other hosts have to note a block before its owner gets it all the same. */
const NOTE_MS = 200;

interface Host {
  readonly name: string;
  readonly port: DataPort<ToSessionHost, FromSessionHost>;
}

/** A block that waits until every other host has noted it. */
interface Pending {
  readonly block: Uint32Array;
  readonly owner: string;
  readonly missing: Set<string>;
}

/** A question "is this the local end of one of your connections?" that is being put to the other hosts. */
interface Question {
  readonly asker: string;
  readonly askerCall: number;
  readonly missing: Set<string>;
}

export class SessionIdOffice {
  readonly #source: SessionIdSource;
  readonly #clock: Clock;
  readonly #hosts = new Map<string, Host>();
  readonly #blocks = new Map<number, { block: Uint32Array; owner: string }>();
  readonly #pending = new Map<number, Pending>();
  readonly #questions = new Map<number, Question>();
  #nextQuestion = 1;

  constructor(source: SessionIdSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  attach(name: string, endpoint: Endpoint): void {
    this.detach(name);
    const port = new DataPort<ToSessionHost, FromSessionHost>(endpoint, this.#clock, {
      onEvents: (events) => {
        for (const event of events) this.#receive(name, event);
      },
      onClose: () => this.detach(name),
    });
    this.#hosts.set(name, { name, port });
    for (const { block } of this.#blocks.values()) port.send({ t: 'ids.block', block, own: false });
  }

  /** A host is gone, and with it every session that used its ids: they may be forgotten in due time. */
  detach(name: string): void {
    const host = this.#hosts.get(name);
    if (!host) return;
    this.#hosts.delete(name);
    host.port.close();
    for (const [first, entry] of this.#blocks) if (entry.owner === name) this.#retire(first);
    for (const [first, pending] of this.#pending) {
      if (pending.owner === name) this.#pending.delete(first);
      else this.#noted(first, name);
    }
    for (const [call, question] of this.#questions) {
      if (question.asker === name) this.#questions.delete(call);
      else this.#answered(call, name, false);
    }
  }

  /** Whether this host can be handed a request. */
  has(host: string): boolean {
    return this.#hosts.has(host);
  }

  /** A discovery that a host of the engine is to answer itself (§2.5.5.1); false if that has not handled its last ones yet. */
  handOver(host: string, request: RapidRequest): boolean {
    const port = this.#hosts.get(host)?.port;
    if (!port || port.congested) return false;
    port.send(request);
    return true;
  }

  close(): void {
    for (const host of this.#hosts.values()) host.port.close();
    this.#hosts.clear();
  }

  #receive(name: string, event: FromSessionHost): void {
    switch (event.t) {
      case 'ids.request':
        return this.#grant(name);
      case 'ids.noted':
        return this.#noted(event.first, name);
      case 'ids.retired':
        return this.#retire(event.first);
      case 'ids.reserve':
        for (const block of event.blocks) {
          this.#source.reserve(block);
          this.#blocks.set(block[0]!, { block, owner: name });
          this.#tellOthers(name, { t: 'ids.block', block, own: false });
        }
        return;
      case 'owns?':
        return this.#ask(name, event.call, event.local);
      case 'owns':
        return this.#answered(event.call, name, event.yes);
    }
  }

  #grant(owner: string): void {
    const block = this.#source.drawBlock();
    const first = block[0]!;
    this.#blocks.set(first, { block, owner });
    const missing = new Set([...this.#hosts.keys()].filter((name) => name !== owner));
    this.#pending.set(first, { block, owner, missing });
    this.#tellOthers(owner, { t: 'ids.block', block, own: false });
    this.#release(first);
    // A thread that is busy with ASA code takes no requests either: it will have noted the block before it does.
    if (this.#pending.has(first)) this.#clock.setTimeout(() => this.#release(first, true), NOTE_MS);
  }

  #noted(first: number, name: string): void {
    this.#pending.get(first)?.missing.delete(name);
    this.#release(first);
  }

  #release(first: number, late = false): void {
    const pending = this.#pending.get(first);
    if (!pending || (pending.missing.size > 0 && !late)) return;
    this.#pending.delete(first);
    this.#hosts.get(pending.owner)?.port.send({ t: 'ids.block', block: pending.block, own: true });
  }

  #retire(first: number): void {
    const entry = this.#blocks.get(first);
    if (!entry) return;
    this.#blocks.delete(first);
    this.#source.retire(entry.block, this.#clock.now());
    this.#tellOthers(entry.owner, { t: 'ids.drop', first });
  }

  #ask(asker: string, askerCall: number, local: Target): void {
    const call = this.#nextQuestion++;
    const missing = new Set([...this.#hosts.keys()].filter((name) => name !== asker));
    this.#questions.set(call, { asker, askerCall, missing });
    this.#tellOthers(asker, { t: 'owns?', call, local });
    if (missing.size === 0) this.#conclude(call, false);
  }

  #answered(call: number, name: string, yes: boolean): void {
    const question = this.#questions.get(call);
    if (!question) return;
    question.missing.delete(name);
    if (yes || question.missing.size === 0) this.#conclude(call, yes);
  }

  #conclude(call: number, yes: boolean): void {
    const question = this.#questions.get(call);
    if (!question) return;
    this.#questions.delete(call);
    this.#hosts.get(question.asker)?.port.send({ t: 'owns', call: question.askerCall, yes });
  }

  #tellOthers(except: string, event: ToSessionHost): void {
    for (const host of this.#hosts.values()) if (host.name !== except) host.port.send(event);
  }
}
