/**
 * The desired state of an engine: who is registered, what listens where, and which ports are held. The supervisor
 * replays it into a worker that takes a dead one's place. Validation of RFC 8991 §2.3.3 (api.md §4.1–4.4) is here,
 * because here is the only complete knowledge.
 */
import type { AnnouncedListener, Announcement } from '../actors/core-protocol.js';
import type { RegistryLimits } from '../actors/limits.js';
import type { ListenKind, SessionLimits } from '../actors/session-protocol.js';
import {
  ErrorCode,
  GRASP_DEF_MAX_SIZE,
  GraspError,
  isNullValue,
  RESPONSE_TTL_ZERO_MS,
} from '../protocol/index.js';
import type { RandomFill } from '../runtime/index.js';
import type { ObjectiveRegistration } from './engine-control.js';
import { checkRegistration, flagsOf } from './registration-rules.js';

export interface AsaRecord {
  readonly handle: number;
  readonly name: string;
  readonly client: string;
}

export interface ObjectiveRecord {
  readonly name: string;
  /** By ASA handle; several only with `overlap` on all (D-03). */
  readonly shares: Map<number, ObjectiveRegistration>;
}

export interface ListenRecord {
  readonly listen: number;
  readonly client: string;
  readonly asa: number;
  readonly objective: string;
  readonly kind: ListenKind;
  /** Session host that takes the requests. */
  readonly host: string;
  /** Discoveries are answered for it: TCP accepts. */
  open: boolean;
  /** Kind `synchronize`: the value its ASA gave last, and when in the order of all that were given. */
  value: Uint8Array | undefined;
  given: number;
}

export class Registry {
  readonly asas = new Map<number, AsaRecord>();
  readonly objectives = new Map<string, ObjectiveRecord>();
  readonly listens = new Map<number, ListenRecord>();
  /** By objective, then by session host; kept as long as it is registered, because peers cache locators. */
  readonly #ports = new Map<string, Map<string, number>>();
  readonly #limits: RegistryLimits & Partial<Pick<SessionLimits, 'maxMessageBytes'>>;
  readonly #random: RandomFill;
  #nextListen = 1;
  #given = 0;

  constructor(limits: RegistryLimits & Partial<Pick<SessionLimits, 'maxMessageBytes'>>, random: RandomFill) {
    this.#limits = limits;
    this.#random = random;
  }

  addAsa(client: string, name: string): AsaRecord {
    if (typeof name !== 'string' || name === '') {
      throw new GraspError(ErrorCode.unspec, 'an ASA name is a non-empty text');
    }
    for (const asa of this.asas.values()) {
      if (asa.name === name) throw new GraspError(ErrorCode.dupASA, JSON.stringify(name));
    }
    if (this.asas.size >= this.#limits.asas) {
      throw new GraspError(ErrorCode.ASAfull, `limits.asas is ${this.#limits.asas}`);
    }
    const record: AsaRecord = { handle: this.#newHandle(), name, client };
    this.asas.set(record.handle, record);
    return record;
  }

  /** The ASA behind a handle, if it belongs to this client; else noASA (6). */
  asaOf(client: string, handle: number): AsaRecord {
    const asa = this.asas.get(handle);
    if (!asa || asa.client !== client) throw new GraspError(ErrorCode.noASA);
    return asa;
  }

  addObjective(asa: AsaRecord, registration: ObjectiveRegistration): void {
    checkRegistration(registration, this.maxMessageBytes);
    const known = this.objectives.get(registration.name);
    if (known) {
      // D-03: both registrations must say overlap, and mean the same kind of objective.
      const compatible = [...known.shares.values()].every(
        (share) =>
          share.overlap &&
          registration.overlap &&
          share.negotiate === registration.negotiate &&
          share.synchronize === registration.synchronize &&
          share.dryRun === registration.dryRun,
      );
      if (known.shares.has(asa.handle) || !compatible) {
        throw new GraspError(ErrorCode.objReg, JSON.stringify(registration.name));
      }
    }
    if (this.objectiveCount >= this.#limits.objectives) {
      throw new GraspError(ErrorCode.objFull, `limits.objectives is ${this.#limits.objectives}`);
    }
    const record = known ?? { name: registration.name, shares: new Map<number, ObjectiveRegistration>() };
    record.shares.set(asa.handle, registration);
    this.objectives.set(registration.name, record);
  }

  get maxMessageBytes(): number {
    return this.#limits.maxMessageBytes ?? GRASP_DEF_MAX_SIZE;
  }

  get objectiveCount(): number {
    let count = 0;
    for (const objective of this.objectives.values()) count += objective.shares.size;
    return count;
  }

  /** The registration of `name` by this ASA; else notYourObj (13). */
  shareOf(asa: AsaRecord, name: string): ObjectiveRegistration {
    const share = this.objectives.get(name)?.shares.get(asa.handle);
    if (!share) throw new GraspError(ErrorCode.notYourObj, JSON.stringify(name));
    return share;
  }

  /** api.md §4.4: notObj (14) if nobody registered it, notYourObj (13) if another did. */
  removeObjective(asa: AsaRecord, name: string): void {
    const objective = this.objectives.get(name);
    if (!objective) throw new GraspError(ErrorCode.notObj, JSON.stringify(name));
    this.shareOf(asa, name);
    objective.shares.delete(asa.handle);
    if (objective.shares.size > 0) return;
    this.objectives.delete(name);
    this.#ports.delete(name);
  }

  addListen(
    asa: AsaRecord,
    objective: string,
    host: string,
    kind: ListenKind = 'negotiate',
    value?: Uint8Array,
  ): ListenRecord {
    const record: ListenRecord = {
      listen: this.#nextListen++,
      client: asa.client,
      asa: asa.handle,
      objective,
      kind,
      host,
      open: false,
      value,
      given: ++this.#given,
    };
    this.listens.set(record.listen, record);
    return record;
  }

  /** An ASA that listens for synchronization gives another value. */
  giveValue(listen: ListenRecord, value: Uint8Array): void {
    listen.value = value;
    listen.given = ++this.#given;
  }

  /** Whether M_RESPONSEs hold its value (D-04). */
  isRapid(objective: string): boolean {
    return [...(this.objectives.get(objective)?.shares.values() ?? [])].some(({ rapid }) => rapid);
  }

  /** D-03: the latest value given by an ASA that still listens for synchronization; undefined: none does. */
  published(objective: string): Uint8Array | undefined {
    let latest: ListenRecord | undefined;
    for (const listen of this.listensOf({ objective, kind: 'synchronize' })) {
      if (listen.open && listen.given > (latest?.given ?? 0)) latest = listen;
    }
    return latest?.value;
  }

  listensOf(
    match: Partial<Pick<ListenRecord, 'asa' | 'objective' | 'client' | 'host' | 'kind'>>,
  ): ListenRecord[] {
    return [...this.listens.values()].filter(
      (record) =>
        (match.asa === undefined || record.asa === match.asa) &&
        (match.objective === undefined || record.objective === match.objective) &&
        (match.client === undefined || record.client === match.client) &&
        (match.host === undefined || record.host === match.host) &&
        (match.kind === undefined || record.kind === match.kind),
    );
  }

  portOf(host: string, objective: string): number {
    return this.#ports.get(objective)?.get(host) ?? 0;
  }

  holdPort(host: string, objective: string, port: number): void {
    // Deregistered while its port was being opened: nobody would ever forget it.
    if (!this.objectives.has(objective)) return;
    const held = this.#ports.get(objective) ?? new Map<string, number>();
    this.#ports.set(objective, held.set(host, port));
  }

  /** What the core is to answer to discoveries of this objective; undefined: nothing. */
  announcement(objective: string): Announcement | undefined {
    const record = this.objectives.get(objective);
    if (!record) return undefined;
    const open = this.listensOf({ objective }).filter(({ open, asa }) => open && record.shares.has(asa));
    // An ASA that listens is announced as listening, whatever `discoverable` says.
    const listening = new Set(open.filter(({ kind }) => kind !== 'presence').map(({ asa }) => asa));
    const announced = open.filter(({ kind, asa }) => kind !== 'presence' || !listening.has(asa));
    const first = announced[0];
    if (!first) return undefined;
    const ttls = announced.map(({ asa }) => record.shares.get(asa)!.ttlMs);
    // G-2.8.5-04: 0 stands for a long time, so it is the shortest only among its like.
    const ttlMs = Math.min(...ttls.map((ttl) => (ttl === 0 ? RESPONSE_TTL_ZERO_MS : ttl)));
    return {
      objective,
      flags: flagsOf(record.shares.get(first.asa)!),
      ttlMs: ttls.every((ttl) => ttl === 0) ? 0 : ttlMs,
      listeners: announced.map((listen) => this.#announced(listen, record.shares.get(listen.asa)!)),
    };
  }

  #announced({ asa, host, objective, kind }: ListenRecord, share: ObjectiveRegistration): AnnouncedListener {
    const { locators } = share;
    // D-04: the current value; null means that there is none.
    const rapid = share.rapid && share.synchronize ? (this.published(objective) ?? share.value) : undefined;
    return {
      asa,
      port: this.portOf(host, objective),
      ...(share.rapid && kind === 'negotiate' ? { rapidHost: host, dryRun: share.dryRun } : {}),
      ...(share.local ? { local: true } : {}),
      ...(locators && locators.length > 0 ? { locators } : {}),
      ...(isNullValue(rapid) ? {} : { rapidValue: rapid }),
    };
  }

  /** A-2.3.2-14: unpredictable, 32 bits, unique. 0 is left out, for it looks like nothing. */
  #newHandle(): number {
    const bytes = new Uint8Array(4);
    for (;;) {
      this.#random(bytes);
      const handle = new DataView(bytes.buffer).getUint32(0);
      if (handle !== 0 && !this.asas.has(handle)) return handle;
    }
  }
}
