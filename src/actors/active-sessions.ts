import { Link, RecencyList } from '../protocol/index.js';
import { NumberTable } from '../runtime/index.js';
import { isOwnAddress, plainAddress } from '../substrate/own-address.js';
import type { Environment, Stream, Target } from '../substrate/types.js';
import type { Clash } from './session-port.js';
import type { SessionIds } from './session-ids.js';

/** A connection that this engine opened, and where it is kept once its local end has been asked for. */
export class Outgoing {
  key: string | undefined;
  /** Among those whose local end nobody has asked for yet. */
  readonly unseen = new Link<Outgoing>(this);

  constructor(readonly stream: Stream) {}
}

/**
 * What makes a session id "locally active" (RFC 8990 §2.8.6, C-06): an id this engine initiated, or an active
 * incoming session of the same peer. A request over a connection that this engine opened itself is no clash: two
 * ASAs of one engine negotiate that way.
 *
 * Nearly every session begins and ends without a suspicion, so what only a suspicion needs is made then: the local
 * ends of connections cost system calls, and comparing addresses costs text.
 */
export class ActiveSessions {
  /** Connections whose local end nobody has asked for yet. */
  readonly #unseen = new RecencyList<Outgoing>();
  /** Local ends of the others; a port may be shared by connections to different peers. */
  readonly #outgoing = new Map<string, number>();
  /** Peers with an active session of this id: hardly ever more than one. */
  readonly #incoming = new NumberTable<readonly Target[]>();

  constructor(
    private readonly ids: SessionIds,
    private readonly environment: () => Environment,
  ) {}

  addOutgoing(stream: Stream): Outgoing {
    const outgoing = new Outgoing(stream);
    this.#unseen.push(outgoing.unseen);
    return outgoing;
  }

  removeOutgoing(outgoing: Outgoing): void {
    const { key } = outgoing;
    if (key === undefined) {
      this.#unseen.remove(outgoing.unseen);
      return;
    }
    const left = (this.#outgoing.get(key) ?? 0) - 1;
    if (left > 0) this.#outgoing.set(key, left);
    else this.#outgoing.delete(key);
  }

  addIncoming(sessionId: number, remote: Target): void {
    const others = this.#incoming.get(sessionId);
    this.#incoming.set(sessionId, others ? [...others, remote] : [remote]);
  }

  removeIncoming(sessionId: number, remote: Target): void {
    const all = this.#incoming.get(sessionId);
    if (!all) return;
    const left = all.filter((other) => other !== remote);
    if (left.length > 0) this.#incoming.set(sessionId, left);
    else this.#incoming.delete(sessionId);
  }

  /** Whether this is the local end of an outgoing connection of this host. */
  owns(end: Target): boolean {
    for (const outgoing of this.#unseen) {
      const { local } = outgoing.stream;
      if (!local) continue;
      outgoing.key = endKey(local);
      this.#unseen.remove(outgoing.unseen);
      this.#outgoing.set(outgoing.key, (this.#outgoing.get(outgoing.key) ?? 0) + 1);
    }
    return this.#outgoing.has(endKey(end));
  }

  judge(sessionId: number, remote: Target): Clash {
    if (!this.ids.has(sessionId) && !this.#isIncoming(sessionId, remote)) return 'none';
    if (this.owns(remote)) return 'none';
    return isOwnAddress(this.environment(), remote.address) ? 'ask' : 'clash';
  }

  get size(): number {
    let size = this.#unseen.size;
    for (const count of this.#outgoing.values()) size += count;
    for (const peers of this.#incoming.values()) size += peers.length;
    return size;
  }

  #isIncoming(sessionId: number, { address, interface: name }: Target): boolean {
    const peers = this.#incoming.get(sessionId);
    if (!peers) return false;
    const plain = plainAddress(address);
    return peers.some((peer) => plainAddress(peer.address) === plain && peer.interface === name);
  }
}

function endKey({ address, port }: Target): string {
  return `${plainAddress(address)} ${port}`;
}
