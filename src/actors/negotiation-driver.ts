import type { RequestNegotiationMessage } from '../protocol/index.js';
import type { ClientLink } from './client-link.js';
import type { NegotiationEvent, NegotiationPort } from './negotiation-port.js';
import { negotiationSession } from './negotiation-session.js';
import {
  SessionDriver,
  type IncomingSession,
  type DiscoveringSession,
  type OutgoingSession,
  type RapidSession,
  type SessionOwner,
} from './session-driver.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';

const REFUSED: NegotiationEvent = { type: 'request.refused' };

/** A negotiation session's driver: besides what all have, the objective's listener and the ASA's turn. */
export class NegotiationDriver extends SessionDriver implements NegotiationPort {
  override get machine(): string {
    return negotiationSession.id;
  }

  constructor(
    owner: SessionOwner,
    name: string,
    way: OutgoingSession | DiscoveringSession | IncomingSession | RapidSession,
  ) {
    super(owner, owner.logic.negotiation, name, way);
  }

  /** The request came with a discovery (§2.5.5.1). */
  requested(message: RequestNegotiationMessage): void {
    this.actor.send({ type: 'rapid.requested', message });
  }

  taken(listen: number, asa: number, client: ClientLink, maxMessageBytes: number): void {
    this.asa = asa;
    this.client = client;
    this.maxMessageBytes = maxMessageBytes;
    this.actor.send({ type: 'request.taken', listen });
  }

  refused(): void {
    this.actor.send(REFUSED);
  }

  // NegotiationPort

  get sendBufferFull(): boolean {
    return (this.stream?.bufferedBytes ?? 0) >= this.owner.limits.sendBufferBytes;
  }

  offer(sessionId: number): void {
    this.becomeActive(sessionId);
    this.listener!.offer(this);
  }

  withdraw(): void {
    this.listener?.withdraw(this);
  }

  announce(listen: number, objective: ObjectiveHead, value: Uint8Array): void {
    const client = this.client!;
    client.adopt(this);
    client.send({
      t: 'incoming',
      listen,
      session: this.key,
      objective,
      value,
      remote: this.peer(),
      sessionId: this.sessionId ?? 0,
    });
    if (client.paused) this.pause();
  }

  reportEnded(failure: Failure): void {
    this.watcher?.told({ state: 'failed', failure });
    this.client?.send({ t: 'ended', session: this.key, failure });
  }

  protected override abandon(state: string, failure: Failure | undefined): void {
    if (failure && state === 'ourTurn') this.reportEnded(failure);
    this.withdraw();
  }
}
