/** The calls of the facade: names and parameter orders of the older API and of RFC 8991 (api.md §1, §4). */
import type { configuration } from './settings.js';
import type { asa_locator, objective, session_handle, tagged_objective } from './classes.js';
import type { dump } from './diagnosis.js';
import type { callback, notify_result } from './forms.js';
import type {
  discover_result,
  get_flood_result,
  listen_result,
  negotiate_result,
  older_negotiate_result,
  register_result,
  synchronize_result,
} from './results.js';
import type { GraspError } from '../../protocol/index.js';

/** As returned by register_asa; an opaque 32-bit number. null gives 6. */
export type asa_handle = number | null;
export type session = session_handle | null;
/** ms; null, absent and 0: 60000 (GRASP_DEF_TIMEOUT). */
export type timeout = number | null;
export type peer = asa_locator | string | null;

export interface registration_keywords {
  /** ms; lifetime of what a discovery tells; default 60000. */
  readonly ttl?: number | null;
  /** Discoveries are answered at once, not only after listen_…; default false. */
  readonly discoverable?: boolean;
  /** Several ASAs may register the name, if all say so; default false. */
  readonly overlap?: boolean;
  /** Discoveries are answered with a link-local address; default false. */
  readonly local?: boolean;
  /** The current value goes into answers to discoveries; default false. */
  readonly rapid?: boolean;
  /** Exactly these are answered to discoveries; default the engine's own. */
  readonly locators?: readonly asa_locator[];
}

export interface register_objective {
  (asa: asa_handle, objective: objective, keywords?: registration_keywords): Promise<number>;
  (
    asa: asa_handle,
    objective: objective,
    ttl: number | null,
    discoverable?: boolean,
    overlap?: boolean,
    local?: boolean,
    rapid?: boolean,
    locators?: readonly asa_locator[],
  ): Promise<number>;
}

export interface discover_keywords {
  /** Older style: drop what is cached first. */
  readonly flush?: boolean;
  /** RFC style: drop what expires within as many ms, discover in any case (D-06). */
  readonly minimum_TTL?: number;
  readonly discovery_received?: callback<discover_result>;
}

/** The calls that wait for somebody else; `polling` has the same in a form that does not wait. */
export interface waiting_calls {
  /**
   * Who supports an objective: RFC 8991 §2.3.4. [0, list], the list empty if there is nobody; [code, []].
   * `timeout` in ms; null: 100 × loop count; 0: cache only, nothing is sent. A boolean after it is `flush`, a
   * number `minimum_TTL`. Codes: 3, 6, 8, 9, 16, 40, 43.
   */
  discover(
    this: void,
    asa: asa_handle,
    objective: objective,
    timeout?: number | null,
    style?: boolean | number | discover_keywords,
    keywords?: number | discover_keywords,
  ): Promise<discover_result>;
  /**
   * Asks a peer to negotiate: RFC 8991 §2.3.5. [0, session, counter-offer, null]; [0, null, own objective, null]:
   * accepted at once; [1, null, null, reason]; [code, null, null, null]. peer null: discovers first.
   * Codes before anything is sent: 3, 6, 8, 9, 13, 15, 16, 17, 38, 40; then 1, 18, 21, 23–28, 41, 43.
   */
  request_negotiate(
    this: void,
    asa: asa_handle,
    objective: objective,
    peer?: peer,
    timeout?: timeout,
    keywords?: { readonly negotiate_step_received?: callback<negotiate_result> },
  ): Promise<negotiate_result>;
  /** `request_negotiate` with a result of the older shape: on code 1 the reason is in the objective's place. */
  req_negotiate(
    this: void,
    asa: asa_handle,
    objective: objective,
    peer?: peer,
    timeout?: timeout,
    keywords?: { readonly negotiate_step_received?: callback<older_negotiate_result> },
  ): Promise<older_negotiate_result>;
  /**
   * The next offer; results as of the request. Takes the objective returned last, which holds the loop count. In a
   * session begun by `req_negotiate` the result has the older shape, as it always has in `grasp.negotiate_step`.
   * Codes: 3 not this side's turn, another name or dry flag; 1, 6, 8, 9, 13, 15, 16, 19–28, 40, 41.
   */
  negotiate_step(
    this: void,
    asa: asa_handle,
    session: session,
    objective: objective,
    timeout?: timeout,
    keywords?: { readonly negotiate_step_received?: callback<negotiate_result> },
  ): Promise<negotiate_result>;
  /**
   * Waits for one request: [0, session, requested objective]. Any number of calls may wait, each request goes to
   * one. After its return requests are kept for 250 ms until the next call, then closed. Codes: 3 stopped, 6, 8, 9,
   * 13 (also when deregistered meanwhile), 15, 16.
   */
  listen_negotiate(
    this: void,
    asa: asa_handle,
    objective: objective,
    keywords?: { readonly negotiate_step_received?: callback<listen_result> },
  ): Promise<listen_result>;
  /**
   * The value of an objective: flood cache, rapid value, discovery, request; with a locator the request only.
   * [0, objective]; [code, null]. Need not be registered. Codes: 3, 6, 16, 24, 32–38.
   */
  synchronize(
    this: void,
    asa: asa_handle,
    objective: objective,
    locator?: peer,
    timeout?: timeout,
    keywords?: { readonly synchronization_received?: callback<synchronize_result> },
  ): Promise<synchronize_result>;
}

export interface other_calls {
  /** Registers an ASA and starts the engine if it does not run. [0, handle]; codes: 3, 4, 5. */
  register_asa(this: void, name: string): Promise<register_result>;
  /** Forgets an ASA, its objectives and its sessions. Codes: 6 no such name, 7 not this handle's. */
  deregister_asa(this: void, asa: asa_handle, name: string): Promise<number>;
  /** Before negotiating, listening and flooding. Codes: 3, 6, 8, 9, 11, 12, 38, 40. */
  register_obj: register_objective;
  register_objective: register_objective;
  /** Codes: 6, 13 another ASA's, 14 nobody's. */
  deregister_obj(this: void, asa: asa_handle, objective: objective): Promise<number>;
  deregister_objective(this: void, asa: asa_handle, objective: objective): Promise<number>;
  /** Waiting listens return 3, sessions under way go on; not listening: 0. Codes: 6, 8, 13, 16. */
  stop_negotiate(this: void, asa: asa_handle, objective: objective): Promise<number>;
  stop_listen_negotiate(this: void, asa: asa_handle, objective: objective): Promise<number>;
  /** Asks the peer for patience (M_WAIT); null and 0: 60000 ms. Codes: 3 not this side's turn, 6, 16, 19, 20, 29. */
  negotiate_wait(this: void, asa: asa_handle, session: session, timeout?: timeout): Promise<number>;
  /** true accepts what came last, on this side's turn; false declines, at any time. Codes: 3, 6, 16, 19, 20, 30. */
  end_negotiate(
    this: void,
    asa: asa_handle,
    session: session,
    result: boolean,
    reason?: string | null | { readonly reason?: string | null },
  ): Promise<number>;
  /** M_INVALID; the session ends on both sides. Codes: 3, 6, 16, 19, 20, 30. */
  send_invalid(
    this: void,
    asa: asa_handle,
    session: session,
    info?: string | Uint8Array | null | { readonly info?: string | Uint8Array | null },
  ): Promise<number>;
  /** Answers synchronization requests with the objective's value; repeated: changes it. Codes: 3, 6, 13, 16, 32. */
  listen_synchronize(this: void, asa: asa_handle, objective: objective): Promise<number>;
  /** Not listening: 0. Codes: 6, 13, 16, 32. */
  stop_synchronize(this: void, asa: asa_handle, objective: objective): Promise<number>;
  stop_listen_synchronize(this: void, asa: asa_handle, objective: objective): Promise<number>;
  /**
   * Floods tagged objectives, one list or one after the other, all or nothing. `ttl` in ms, 0: for ever.
   * Codes: 3, 6, 13, 16, 32, 38, 40.
   */
  flood(
    this: void,
    asa: asa_handle,
    ttl: number,
    ...tagged: readonly (tagged_objective | readonly tagged_objective[])[]
  ): Promise<number>;
  /** Every unexpired copy, newest first: [0, list]; [code, null]. Codes: 6, 16, 32. */
  get_flood(this: void, asa: asa_handle, objective: objective): Promise<get_flood_result>;
  /** Forgets one copy, also one that never expires; none there: 0. Codes: 6. */
  expire_flood(this: void, asa: asa_handle, tagged: tagged_objective): Promise<number>;

  /** Before register_asa, afterwards without effect: test mode, own multicasts, message syntax diagnostics. */
  skip_dialogue(
    this: void,
    testing?: boolean | skip_dialogue_keywords,
    selfing?: boolean | skip_dialogue_keywords,
    diagnosing?: boolean | skip_dialogue_keywords,
    keywords?: skip_dialogue_keywords,
  ): void;
  /** Prints with the ASA's name, like `print`. */
  tprint(this: void, ...items: readonly unknown[]): void;
  /** The same in test mode only. */
  ttprint(this: void, ...items: readonly unknown[]): void;
  /** From now on what is printed stands in boxes under this caption. */
  init_bubble_text(this: void, caption: string): void;
  /** Prints registries, caches and actors, and returns them; `partial`: objectives and floods only. */
  dump_all(this: void, partial?: boolean | { readonly partial?: boolean }): Promise<dump>;
  /** What has changed for an ASA since the last call: RFC 8991 §2.2.3. [6, [], []] for no ASA. */
  notify(this: void, asa: asa_handle): Promise<notify_result>;
}

export interface skip_dialogue_keywords {
  readonly testing?: boolean;
  readonly selfing?: boolean;
  readonly diagnosing?: boolean;
  /** Nothing is printed. */
  readonly silent?: boolean;
  /** Of the prototype's own encryption and dialogue, which do not exist here: without effect. */
  readonly quadsing?: boolean;
  readonly figging?: boolean;
}

/** Variables of the older API; may be read and set. */
export interface variables {
  /** `ttprint` prints, bytes are shown in hex. */
  test_mode: boolean;
  /** Refused messages are reported with their reason. */
  mess_check: boolean;
  /** Hear the engine's own multicasts; only before register_asa. */
  listen_self: boolean;
  /** Own locators are answered as diverted ones; only before register_asa. */
  test_divert: boolean;
}

/** The older module: the same engine, ASAs and variables, and `negotiate_step` in the older shape. */
export interface older_graspi extends Omit<waiting_calls, 'negotiate_step'>, other_calls, variables {
  negotiate_step(
    this: void,
    asa: asa_handle,
    session: session,
    objective: objective,
    timeout?: timeout,
    keywords?: { readonly negotiate_step_received?: callback<older_negotiate_result> },
  ): Promise<older_negotiate_result>;
}

/** One facade: RFC 8991 in the names of both. */
export interface graspi_api extends waiting_calls, other_calls, variables {
  /** The older module, as `graspi.grasp` of the prototype. */
  readonly grasp: older_graspi;
  /**
   * The calls that wait, as polls: they return noReply (2) until the result is there, and repeating one never sends
   * anything again (RFC 8991 §2.2.1). What makes it the same call is the session, or the very objective object.
   */
  readonly polling: waiting_calls;
  /** The error behind the last code that was not 0, with its detail; results hold the number only. */
  readonly last_error: GraspError | null;
  /** How the engine is to be started; before register_asa, else throws. */
  configure(this: void, wanted: configuration): void;
  /** Ends the engine; whatever waits gets 42. The next register_asa starts another. */
  close(this: void): Promise<void>;
}
