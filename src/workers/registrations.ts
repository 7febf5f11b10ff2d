/**
 * Registrations and listens in motion: takes changes of the desired state to the hosts concerned, in the order that
 * RFC 8991 §2.3 asks for. Listen: TCP accepts, then discoveries are answered. Stop and deregister: answers off, then
 * the listener is closed, then sessions end.
 */
import { ErrorCode, GraspError } from '../protocol/index.js';
import type { Security } from '../substrate/types.js';
import type { ClientControl } from './engine-control.js';
import type { CoreControl, SessionsControl } from './host.js';
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

  async listen(
    id: string,
    handle: number,
    name: string,
  ): Promise<{ listen: number; host: string; port: number }> {
    const registry = this.#registry;
    const asa = registry.asaOf(id, handle);
    const client = this.#hosts.client(id);
    if (!client) throw new GraspError(ErrorCode.noASA);
    if (this.#hosts.security() === 'none') throw new GraspError(ErrorCode.noSecurity);
    const share = registry.shareOf(asa, name);
    if (!share.negotiate) throw new GraspError(ErrorCode.notNeg, JSON.stringify(name));
    return this.#inOrder(name, async () => {
      registry.shareOf(asa, name);
      const already = registry.listensOf({ objective: name }).find((listen) => listen.client === id);
      const hostName = client.host ?? already?.host ?? (await this.#hosts.forRequest());
      const host = client.host === undefined ? this.#hosts.session(hostName) : this.#hosts.get(hostName);
      if (!host) throw new GraspError(ErrorCode.engineLost, hostName);
      const listen = registry.addListen(asa, name, hostName);
      try {
        await this.#whileReplaced(host, () => this.openListen(host, listen));
        listen.open = true;
        await this.announce(name);
      } catch (error) {
        registry.listens.delete(listen.listen);
        throw error;
      }
      return { listen: listen.listen, host: hostName, port: registry.portOf(hostName, name) };
    });
  }

  async openListen(host: SupervisedHost, listen: ListenRecord): Promise<void> {
    const { port } = await host.calls<SessionsControl>().listen({
      listen: listen.listen,
      client: listen.client,
      asa: listen.asa,
      objective: listen.objective,
      port: this.#registry.portOf(host.name, listen.objective),
      maxMessageBytes: this.#registry.objectives.get(listen.objective)?.shares.get(listen.asa)
        ?.maxMessageBytes,
    });
    this.#registry.holdPort(host.name, listen.objective, port);
  }

  stopListen(id: string, number: number): Promise<void> {
    const listen = this.#registry.listens.get(number);
    if (!listen || listen.client !== id) return Promise.resolve();
    return this.#inOrder(listen.objective, () => this.#endListen(listen));
  }

  /** Answers off, then listener closed. */
  async #endListen(listen: ListenRecord): Promise<void> {
    if (!this.#registry.listens.delete(listen.listen)) return;
    await this.announce(listen.objective);
    const host = this.#hosts.get(listen.host);
    if (host?.isBuilt) await ignoreLost(host.calls<SessionsControl>().stopListen(listen.listen));
  }

  /** api.md §4.4 and C-13: answers off, listeners closed (13), sessions under way ended (19). */
  deregisterObjective(asa: AsaRecord, name: string): Promise<void> {
    if (!this.#registry.objectives.has(name)) throw new GraspError(ErrorCode.notObj, JSON.stringify(name));
    this.#registry.shareOf(asa, name);
    return this.#inOrder(name, async () => {
      const own = this.#registry.listensOf({ asa: asa.handle, objective: name });
      this.#registry.removeObjective(asa, name);
      for (const listen of own) {
        await this.#endListen(listen);
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
    // An ASA with a thread of its own has its sessions there and nowhere else.
    const own = this.#hosts.client(asa.client)?.host;
    const hosts = this.#hosts
      .all()
      .filter((host) => (own === undefined ? host.role === 'sessions' : host.name === own));
    await Promise.all(
      hosts.map(async (host) => {
        if (!host.isBuilt) return;
        await ignoreLost(
          host.calls<SessionsControl>().endSessions({ asa: asa.handle, objective }, ErrorCode.noSession),
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
