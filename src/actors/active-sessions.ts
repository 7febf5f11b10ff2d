import { isOwnAddress, plainAddress } from '../substrate/own-address.js';
import type { Environment, Target } from '../substrate/types.js';
import type { Clash } from './session-port.js';
import type { SessionIds } from './session-ids.js';

/**
 * What makes a session id "locally active" (RFC 8990 §2.8.6, C-06): an id this engine initiated, or an active
 * incoming session of the same peer. A request over a connection that this engine opened itself is no clash: two
 * ASAs of one engine negotiate that way.
 */
export class ActiveSessions {
  /** Local ends of outgoing connections; a port may be shared by connections to different peers. */
  readonly #outgoing = new Map<string, number>();
  readonly #incoming = new Set<string>();

  constructor(
    private readonly ids: SessionIds,
    private readonly environment: () => Environment,
  ) {}

  addOutgoing(local: Target): string {
    const key = endKey(local);
    this.#outgoing.set(key, (this.#outgoing.get(key) ?? 0) + 1);
    return key;
  }

  removeOutgoing(key: string): void {
    const left = (this.#outgoing.get(key) ?? 0) - 1;
    if (left > 0) this.#outgoing.set(key, left);
    else this.#outgoing.delete(key);
  }

  addIncoming(sessionId: number, remote: Target): string {
    const key = incomingKey(sessionId, remote);
    this.#incoming.add(key);
    return key;
  }

  removeIncoming(key: string): void {
    this.#incoming.delete(key);
  }

  /** Whether this is the local end of an outgoing connection of this host. */
  owns(end: Target): boolean {
    return this.#outgoing.has(endKey(end));
  }

  judge(sessionId: number, remote: Target): Clash {
    if (!this.ids.has(sessionId) && !this.#incoming.has(incomingKey(sessionId, remote))) return 'none';
    if (this.owns(remote)) return 'none';
    return isOwnAddress(this.environment(), remote.address) ? 'ask' : 'clash';
  }

  get size(): number {
    return this.#outgoing.size + this.#incoming.size;
  }
}

function endKey({ address, port }: Target): string {
  return `${plainAddress(address)} ${port}`;
}

function incomingKey(sessionId: number, { address, interface: name }: Target): string {
  return `${sessionId} ${plainAddress(address)} ${name ?? ''}`;
}
