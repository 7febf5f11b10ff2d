/**
 * Registrations and listens in motion: takes changes of the desired state to the hosts concerned, in the order that
 * RFC 8991 §2.3 asks for. Register and listen: TCP accepts, then discoveries are answered. Stop and deregister: answers off, then
 * the listener is closed, then sessions end.
 */
import { ErrorCode, GraspError } from '../protocol/index.js';
import type { Security } from '../substrate/types.js';
import type { ListenKind } from '../actors/session-protocol.js';
import type { ClientControl, ObjectiveRegistration } from './engine-control.js';
import type { CoreControl, SessionsControl } from './host.js';
import { checkValue, flagsOf } from './registration-rules.js';
import type { AsaRecord, ListenRecord, Registry } from './registry.js';
import type { SupervisedHost } from './supervised-host.js';

/** One thread's API side, as the supervisor knows it. */
export interface Client {
  readonly id: string;
  readonly control: ClientControl;
  /** The session host in the client's own thread, for an ASA's worker; its listens are there. */
  readonly host: string | undefined;
}

/** The hosts and clients of an engine, as registrations need them. */
export interface Directory {
  security(): Security;
  get(host: string): SupervisedHost | undefined;
  all(): SupervisedHost[];
  /** The session host of that name, started if need be. */
  session(host: string): SupervisedHost;
  /** Names the session host for the next request or listen. */
  forRequest(): Promise<string>;
  client(id: string): Client | undefined;
}

export class Registrations {
  readonly #registry: Registry;
  readonly #hosts: Directory;
  readonly #serial = new Map<string, Promise<unknown>>();

  constructor(registry: Registry, hosts: Directory) {
    this.#registry = registry;
    this.#hosts = hosts;
  }

  /** api.md §4.3. With `discoverable` discoveries are answered from now on, with or without security. */
  async registerObjective(id: string, handle: number, registration: ObjectiveRegistration): Promise<void> {
    this.#registry.asaOf(id, handle);
    const { name } = registration;
    return this.#inOrder(name, async () => {
      const asa = this.#registry.asaOf(id, handle);
      this.#registry.addObjective(asa, registration);
      if (!registration.discoverable) return;
      try {
        await this.#open(asa, name, 'presence');
      } catch (error) {
        // Gone already if the ASA was deregistered meanwhile.
        if (this.#registry.objectives.get(name)?.shares.get(handle) === registration) {
          this.#registry.removeObjective(asa, name);
        }
        throw error;
      }
    });
  }

  async listen(
    id: string,
    handle: number,
    name: string,
  ): Promise<{ listen: number; host: string; port: number }> {
    const registry = this.#registry;
    const asa = this.#asaOf(id, handle);
    if (!registry.shareOf(asa, name).negotiate) {
      throw new GraspError(ErrorCode.notNeg, JSON.stringify(name));
    }
    return this.#inOrder(name, async () => {
      const { listen, host } = await this.#open(asa, name, 'negotiate');
      return { listen, host, port: registry.portOf(host, name) };
    });
  }

  /** api.md §4.14: the first time it listens, later it changes the value. */
  async listenSynchronize(id: string, handle: number, name: string, value: Uint8Array): Promise<void> {
    const registry = this.#registry;
    const asa = this.#asaOf(id, handle);
    checkValue(this.#synchronizing(asa, name), value, registry.maxMessageBytes);
    return this.#inOrder(name, async () => {
      const [listen] = registry.listensOf({ asa: handle, objective: name, kind: 'synchronize' });
      const opened = listen ? undefined : await this.#open(asa, name, 'synchronize', value);
      if (listen) registry.giveValue(listen, value);
      await this.#publish(name, opened);
      if (listen && registry.isRapid(name)) await this.announce(name);
    });
  }

  /** api.md §4.15; what others give for it goes on. */
  async stopSynchronize(id: string, handle: number, name: string): Promise<void> {
    const asa = this.#asaOf(id, handle);
    this.#synchronizing(asa, name);
    return this.#inOrder(name, async () => {
      const own = this.#registry.listensOf({ asa: handle, objective: name, kind: 'synchronize' });
      for (const listen of own) await this.#endListen(listen);
    });
  }

  /** The ASA behind a handle, when it may send and receive: 6, 16. */
  #asaOf(id: string, handle: number): AsaRecord {
    const asa = this.#registry.asaOf(id, handle);
    if (this.#hosts.security() === 'none') throw new GraspError(ErrorCode.noSecurity);
    return asa;
  }

  /** Its registration of a synchronization objective: 13, 32. */
  #synchronizing(asa: AsaRecord, name: string): ObjectiveRegistration {
    const share = this.#registry.shareOf(asa, name);
    if (!share.synchronize) throw new GraspError(ErrorCode.notSynch, JSON.stringify(name));
    return share;
  }

  /** One more listen of a registered objective: TCP accepts, then discoveries are answered. */
  async #open(asa: AsaRecord, name: string, kind: ListenKind, value?: Uint8Array): Promise<ListenRecord> {
    const registry = this.#registry;
    const client = this.#hosts.client(asa.client);
    if (!client) throw new GraspError(ErrorCode.noASA);
    // It may have been deregistered while this waited for its turn.
    registry.shareOf(asa, name);
    const [already] = registry.listensOf({ objective: name, client: asa.client });
    const hostName = client.host ?? already?.host ?? (await this.#hosts.forRequest());
    const host = client.host === undefined ? this.#hosts.session(hostName) : this.#hosts.get(hostName);
    if (!host) throw new GraspError(ErrorCode.engineLost, hostName);
    const listen = registry.addListen(asa, name, hostName, kind, value);
    try {
      await this.#whileReplaced(host, () => {
        // While nobody listened, another program may have taken the port that the objective has here.
        const isHeld = registry
          .listensOf({ objective: name })
          .some((other) => other.open && other.host === hostName);
        const mayMove = !isHeld && registry.portOf(hostName, name) !== 0;
        return this.#openOrMove(host, listen, { resumed: kind === 'presence', mayMove });
      });
      listen.open = true;
      await this.announce(name);
    } catch (error) {
      registry.listens.delete(listen.listen);
      throw error;
    }
    return listen;
  }

  /**
   * Opens a listen again in the host that took another's place. What no call of an ASA waits for would be lost
   * silently if its port has been taken meanwhile: it takes another, and discoverers are told.
   */
  async resume(host: SupervisedHost, listen: ListenRecord): Promise<void> {
    const mayMove = listen.kind !== 'negotiate';
    const hasMoved = await this.#openOrMove(host, listen, { resumed: true, mayMove });
    if (hasMoved) await this.announce(listen.objective);
  }

  /** On the port that the objective has here or, if that cannot be opened, on another; whether it is another. */
  async #openOrMove(
    host: SupervisedHost,
    listen: ListenRecord,
    { resumed, mayMove }: { resumed: boolean; mayMove: boolean },
  ): Promise<boolean> {
    try {
      await this.openListen(host, listen, resumed);
      return false;
    } catch (error) {
      if (!mayMove || !GraspError.is(error) || error.code !== ErrorCode.unspec) throw error;
      this.#registry.holdPort(host.name, listen.objective, 0);
      await this.openListen(host, listen, resumed);
      return true;
    }
  }

  /** @param resumed it was there before its host was replaced, or needs no security: no 16. */
  async openListen(host: SupervisedHost, listen: ListenRecord, resumed: boolean): Promise<void> {
    const { listen: number, client, asa, objective, kind } = listen;
    const registry = this.#registry;
    const share = registry.objectives.get(objective)?.shares.get(asa);
    const { port } = await host.calls<SessionsControl>().listen({
      listen: number,
      kind,
      flags: share && flagsOf(share),
      // What is given with a new listen is the latest; one that is opened again holds what was given since.
      value:
        kind === 'synchronize' ? (listen.open ? registry.published(objective) : listen.value) : undefined,
      client,
      asa,
      objective,
      port: registry.portOf(host.name, objective),
      maxMessageBytes: share?.maxMessageBytes,
      resumed,
    });
    registry.holdPort(host.name, objective, port);
  }

  /** D-03: every host that answers for the objective has the latest value; `opened` was opened with it. */
  async #publish(objective: string, opened?: ListenRecord): Promise<void> {
    const value = this.#registry.published(objective);
    if (value === undefined) return;
    const listens = this.#registry.listensOf({ objective, kind: 'synchronize' });
    await Promise.all(
      listens.map(async (listen) => {
        const host = this.#hosts.get(listen.host);
        // A host that is being replaced gets it when the listen is opened again.
        if (listen === opened || !host?.isBuilt) return;
        const set = host.calls<SessionsControl>().setValue(listen.listen, value);
        // A thread with ASA code may be busy for seconds; nobody else is to wait for it.
        if (host.role === 'asa') tell(set);
        else await ignoreLost(set);
      }),
    );
  }

  stopListen(id: string, number: number): Promise<void> {
    const listen = this.#registry.listens.get(number);
    if (!listen || listen.client !== id) return Promise.resolve();
    return this.#inOrder(listen.objective, () => this.#endListen(listen));
  }

  /** Answers off, then listener closed. What an ASA gave goes with it, for those that remain too (D-03). */
  async #endListen(listen: ListenRecord): Promise<void> {
    if (!this.#registry.listens.delete(listen.listen)) return;
    await this.announce(listen.objective);
    if (listen.kind === 'synchronize') await this.#publish(listen.objective);
    const host = this.#hosts.get(listen.host);
    if (host?.isBuilt) await ignoreLost(host.calls<SessionsControl>().stopListen(listen.listen));
  }

  /** api.md §4.4 and C-13: answers off, listeners closed (13), sessions under way ended (19). */
  deregisterObjective(asa: AsaRecord, name: string): Promise<void> {
    return this.#inOrder(name, async () => {
      const own = this.#registry.listensOf({ asa: asa.handle, objective: name });
      this.#registry.removeObjective(asa, name);
      for (const listen of own) {
        await this.#endListen(listen);
        if (listen.kind !== 'negotiate') continue;
        const failure = { code: ErrorCode.notYourObj, detail: 'deregistered' };
        tell(this.#hosts.client(asa.client)?.control.listenEnded(listen.listen, failure));
      }
      await this.#endSessions(asa, name);
    });
  }

  async deregisterAsa(asa: AsaRecord): Promise<void> {
    // First of all: nothing more can be registered under it.
    this.#registry.asas.delete(asa.handle);
    for (const objective of [...this.#registry.objectives.values()]) {
      if (!objective.shares.has(asa.handle)) continue;
      try {
        await this.deregisterObjective(asa, objective.name);
      } catch (error) {
        // Deregistered by itself in the same moment.
        const { notObj, notYourObj } = ErrorCode;
        if (!GraspError.is(error) || (error.code !== notObj && error.code !== notYourObj)) throw error;
      }
    }
    await this.#endSessions(asa, undefined);
  }

  async #endSessions(asa: AsaRecord, objective: string | undefined): Promise<void> {
    // An ASA with a thread of its own has its sessions there; but the core has those that began with a discovery.
    const own = this.#hosts.client(asa.client)?.host;
    const hosts = this.#hosts
      .all()
      .filter(
        (host) => host.role === 'core' || (own === undefined ? host.role === 'sessions' : host.name === own),
      );
    await Promise.all(
      hosts.map(async (host) => {
        if (!host.isBuilt) return;
        await ignoreLost(
          host
            .calls<CoreControl | SessionsControl>()
            .endSessions({ asa: asa.handle, objective }, ErrorCode.noSession),
        );
      }),
    );
  }

  async announce(objective: string): Promise<void> {
    const core = this.#hosts.get('core');
    // A core that is being replaced gets it with the replay.
    if (!core?.isBuilt) return;
    await ignoreLost(core.calls<CoreControl>().announce(objective, this.#registry.announcement(objective)));
  }

  /** Control calls about one objective happen one after another. */
  #inOrder<T>(objective: string, task: () => Promise<T>): Promise<T> {
    const before = this.#serial.get(objective) ?? Promise.resolve();
    const mine = before.then(task, task);
    const settled = mine.catch(() => undefined);
    this.#serial.set(objective, settled);
    void settled.then(() => {
      if (this.#serial.get(objective) === settled) this.#serial.delete(objective);
    });
    return mine;
  }

  /** Calls a host; if its thread dies under the call, once more in the one that replaces it. */
  async #whileReplaced<T>(host: SupervisedHost, task: () => Promise<T>): Promise<T> {
    await host.ready();
    try {
      return await task();
    } catch (error) {
      if (!GraspError.is(error) || error.code !== ErrorCode.engineLost || host.role === 'asa') throw error;
      await host.ready();
      return task();
    }
  }
}

/** Tells a client something it need not answer: an ASA's thread may be busy, or gone. */
export function tell(told: void | Promise<void>): void {
  void Promise.resolve(told).catch(() => undefined);
}

/** A host that died under the call has lost what the call was to undo or change; its successor is told anew. */
export async function ignoreLost(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!GraspError.is(error) || error.code !== ErrorCode.engineLost) throw error;
  }
}
