/**
 * The desired state of an engine: who is registered, what listens where, and which ports are held. The supervisor
 * replays it into a worker that takes a dead one's place. Validation of RFC 8991 §2.3.3 (api.md §4.1–4.4) is here,
 * because here is the only complete knowledge.
 */
import type { Announcement } from '../actors/core-protocol.js';
import type { RegistryLimits } from '../actors/limits.js';
import { ErrorCode, GraspError, RESPONSE_TTL_ZERO_MS, validateObjective } from '../protocol/index.js';
import type { RandomFill } from '../runtime/index.js';
import type { ObjectiveRegistration } from './engine-control.js';

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
  /** Session host that takes the requests. */
  readonly host: string;
  /** Discoveries are answered for it: TCP accepts. */
  open: boolean;
}

export class Registry {
  readonly asas = new Map<number, AsaRecord>();
  readonly objectives = new Map<string, ObjectiveRecord>();
  readonly listens = new Map<number, ListenRecord>();
  /** By objective, then by session host; kept as long as it is registered, because peers cache locators. */
  readonly #ports = new Map<string, Map<string, number>>();
  readonly #limits: RegistryLimits;
  readonly #random: RandomFill;
  #nextListen = 1;

  constructor(limits: RegistryLimits, random: RandomFill) {
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
    const invalid = validateObjective(registration);
    if (invalid) throw invalid;
    const { ttlMs } = registration;
    if (!Number.isInteger(ttlMs) || ttlMs < 0 || ttlMs > 0xffff_ffff) {
      throw new GraspError(ErrorCode.unspec, 'ttlMs is a whole number of milliseconds from 0 to 2^32-1');
    }
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

  addListen(asa: AsaRecord, objective: string, host: string): ListenRecord {
    const record: ListenRecord = {
      listen: this.#nextListen++,
      client: asa.client,
      asa: asa.handle,
      objective,
      host,
      open: false,
    };
    this.listens.set(record.listen, record);
    return record;
  }

  listensOf(match: Partial<Pick<ListenRecord, 'asa' | 'objective' | 'client' | 'host'>>): ListenRecord[] {
    return [...this.listens.values()].filter(
      (record) =>
        (match.asa === undefined || record.asa === match.asa) &&
        (match.objective === undefined || record.objective === match.objective) &&
        (match.client === undefined || record.client === match.client) &&
        (match.host === undefined || record.host === match.host),
    );
  }

  portOf(host: string, objective: string): number {
    return this.#ports.get(objective)?.get(host) ?? 0;
  }

  holdPort(host: string, objective: string, port: number): void {
    const held = this.#ports.get(objective) ?? new Map<string, number>();
    this.#ports.set(objective, held.set(host, port));
  }

  /** What the core is to answer to discoveries of this objective; undefined: nothing. */
  announcement(objective: string): Announcement | undefined {
    const record = this.objectives.get(objective);
    if (!record) return undefined;
    const open = this.listensOf({ objective }).filter((listen) => listen.open);
    const listeners = open.map((listen) => ({ asa: listen.asa, port: this.portOf(listen.host, objective) }));
    if (listeners.length === 0) return undefined;
    const ttls = open.map((listen) => record.shares.get(listen.asa)?.ttlMs ?? 0);
    // G-2.8.5-04: 0 stands for a long time, so it is the shortest only among its like.
    const ttlMs = Math.min(...ttls.map((ttl) => (ttl === 0 ? RESPONSE_TTL_ZERO_MS : ttl)));
    return { objective, flags: 0, ttlMs: ttls.every((ttl) => ttl === 0) ? 0 : ttlMs, listeners };
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
