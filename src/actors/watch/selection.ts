/** Which actors, messages and sessions an inspection is about, and which of them are chosen to be shown. */
import { TokenBucket, type Message } from '../../protocol/index.js';
import type { Place, Subject } from '../../runtime/index.js';
import { plainAddress } from '../../substrate/own-address.js';
import { addressText, objectiveNames } from './item-fields.js';
import type { InspectionSpec } from './protocol.js';

/** `maybe`: what decides is not known yet, as the session id of a peer's connection that has sent nothing. */
export type Verdict = 'yes' | 'no' | 'maybe';

export class Conditions {
  readonly #machines: ReadonlySet<string> | undefined;
  readonly #objective: string | undefined;
  readonly #peer: string | undefined;
  readonly #session: number | undefined;
  /** None but that on machines. */
  readonly none: boolean;

  constructor({ machines, objective, peer, session }: InspectionSpec) {
    this.#machines = machines && new Set(machines);
    this.#objective = objective;
    this.#peer = peer;
    this.#session = session;
    this.none = objective === undefined && peer === undefined && session === undefined;
  }

  wantsMachine(id: string): boolean {
    return this.#machines?.has(id) ?? true;
  }

  judge(subject: Subject): Verdict {
    if (this.none) return 'yes';
    const verdicts = [
      verdict(this.#objective, subject.objective),
      verdict(this.#peer, subject.peer && plainAddress(subject.peer.address)),
      verdict(this.#session, subject.session),
    ];
    return verdicts.includes('no') ? 'no' : verdicts.includes('maybe') ? 'maybe' : 'yes';
  }

  /** A message tells all there is to know: what it does not name it is not about. */
  meets(message: Message, peer: Place | undefined): boolean {
    if (this.none) return true;
    return (
      (this.#objective === undefined || objectiveNames(message).includes(this.#objective)) &&
      (this.#session === undefined || ('sessionId' in message && message.sessionId === this.#session)) &&
      (this.#peer === undefined || this.#isPeer(message, peer))
    );
  }

  /** Who sent it or gets it, or who began it when others have passed it on. */
  #isPeer(message: Message, peer: Place | undefined): boolean {
    if (peer && plainAddress(peer.address) === this.#peer) return true;
    return 'initiator' in message && addressText(message.initiator) === this.#peer;
  }
}

function verdict<T>(wanted: T | undefined, is: T | undefined): Verdict {
  if (wanted === undefined) return 'yes';
  return is === undefined ? 'maybe' : is === wanted ? 'yes' : 'no';
}

/** Chooses a share of what comes, evenly: of a share of 1 % every hundredth, the first one included. */
export class Sampler {
  readonly #share: number;
  #owed: number;

  constructor(share: number) {
    this.#share = share;
    this.#owed = 1 - share;
  }

  choose(): boolean {
    if (this.#share >= 1) return true;
    if (this.#share <= 0) return false;
    this.#owed += this.#share;
    // A sum of fractions: 0.1 ten times is not quite one.
    if (this.#owed < 1 - 1e-9) return false;
    this.#owed -= 1;
    return true;
  }
}

/** What a session of a few steps tells, and some more. */
const ITEMS_OF_A_SESSION = 24;

/** How many items a second may leave a thread. */
export class Rate {
  readonly #bucket: TokenBucket | undefined;
  readonly #reserve: number;
  readonly #now: () => number;

  constructor(perSecond: number, now: () => number) {
    this.#bucket = Number.isFinite(perSecond) ? new TokenBucket(perSecond, perSecond) : undefined;
    this.#reserve = Math.max(perSecond / 10, Math.min(ITEMS_OF_A_SESSION, perSecond / 2));
    this.#now = now;
  }

  /** Counts one item; false: it is beyond the rate. */
  take(): boolean {
    return this.#bucket === undefined || this.#bucket.take(this.#now());
  }

  /** Whether enough is left to begin with another actor, of which many items will come. */
  get roomy(): boolean {
    return this.#bucket === undefined || this.#bucket.left(this.#now()) >= this.#reserve;
  }
}
