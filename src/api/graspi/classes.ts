/** The data structures of RFC 8991 §2.3.2 as the older API names them (api.md §2). */
import { GRASP_DEF_LOOPCT, GRASP_LISTEN_PORT, IPPROTO_TCP } from '../../protocol/index.js';

/**
 * A GRASP objective: RFC 8991 §2.3.2.3. Every call copies what it is given and returns copies: what the caller does
 * to an objective later has no effect, and the engine never changes the caller's.
 *
 * @example
 * const obj = new objective('EX3');
 * obj.neg = true;
 * obj.value = ['NZD', 300];
 */
export class objective {
  name: string;
  /** F_DISC. False for infrastructure floods such as AN_ACP, which carry the synchronization flag alone. */
  discoverable = true;
  /** It can be negotiated. Not together with `synch` (8). */
  neg = false;
  /** A dry run; only with `neg` (9). May change from one negotiation to the next, not within one. */
  dry = false;
  /** It can be synchronized and flooded. */
  synch = false;
  /** 1 … 255; default 6 (GRASP_DEF_LOOPCT). What a call returns holds the count received: pass it on. */
  loop_count = GRASP_DEF_LOOPCT;
  /** Anything that CBOR can say. A Uint8Array that holds one CBOR item is sent in tag 24, and comes back as one. */
  value: unknown = null;

  constructor(name: string) {
    this.name = name;
  }
}

/** Where an ASA can be reached: RFC 8991 §2.3.2.4. */
export class asa_locator {
  /** IPv6 or IPv4 address in text form; the name or URI of the other kinds. */
  locator: string;
  /** Index of the interface it was learnt on; 0 where there is none. */
  ifi: number;
  /** Name of that interface; '' where there is none. Wins over `ifi`. */
  interface = '';
  /** Learnt from somebody else than the responder (O_DIVERT). */
  diverted: boolean;
  /** Transport protocol number; 6 is TCP. null only for URIs. */
  protocol: number | null = IPPROTO_TCP;
  /** null only for URIs. */
  port: number | null = GRASP_LISTEN_PORT;
  /** ms since the epoch when it expires; 0: never. */
  expire = 0;
  /** Exactly one of the three is to be set. */
  is_ipaddress = false;
  is_fqdn = false;
  is_uri = false;

  /** @param ifi index or name of the interface; null or 0: none */
  constructor(locator: string, ifi: number | string | null = 0, diverted = false) {
    this.locator = locator;
    this.ifi = typeof ifi === 'number' ? ifi : 0;
    if (typeof ifi === 'string') this.interface = ifi;
    this.diverted = diverted;
  }
}

/** An objective with the locator it was flooded with: RFC 8991 §2.3.2.6. */
export class tagged_objective {
  objective: objective;
  /** null: no tag. */
  source: asa_locator | null;

  constructor(tagged: objective, source: asa_locator | null = null) {
    this.objective = tagged;
    this.source = source;
  }

  /** The RFC's name of `source`. */
  get locator(): asa_locator | null {
    return this.source;
  }

  set locator(locator: asa_locator | null) {
    this.source = locator;
  }
}

/** The peer's end of a session's connection. */
export interface remote_end {
  readonly address: string;
  readonly port: number;
  /** Present for link-local addresses. */
  readonly interface?: string | undefined;
}

/**
 * session_handle of RFC 8991 §2.3.2.8, the older session nonce: made by the engine, opaque, good for the ASA that
 * got it until the session ends. What can be read serves logs and the Autonomic Control Plane (§2.3.5).
 */
export class session_handle {
  #id = 0;
  #remote: remote_end | null = null;

  /** The session ID of RFC 8990 §2.7; 0 until there is one. */
  get id_value(): number {
    return this.#id;
  }

  /** Address of the remote ASA. */
  get id_source(): string {
    return this.#remote?.address ?? '';
  }

  get remote(): remote_end | null {
    return this.#remote;
  }

  toString(): string {
    return `session ${this.#id} with ${this.#remote ? `${this.id_source}:${this.#remote.port}` : 'nobody yet'}`;
  }

  /** @internal */
  bind(id: number, remote: remote_end): void {
    this.#id = id;
    this.#remote = Object.freeze({ ...remote });
  }
}

/** A copy; what is missing has its default. Only the value is shared: it is encoded before the caller can change it. */
export function copyOf(
  source: Pick<objective, 'name'> & Partial<objective>,
  changes: Partial<objective> = {},
): objective {
  const copy = new objective(source.name);
  copy.discoverable = source.discoverable ?? true;
  copy.neg = source.neg ?? false;
  copy.dry = source.dry ?? false;
  copy.synch = source.synch ?? false;
  copy.loop_count = source.loop_count ?? GRASP_DEF_LOOPCT;
  copy.value = source.value ?? null;
  return Object.assign(copy, changes);
}
