import {
  SessionDriver,
  type IncomingSession,
  type OutgoingSession,
  type SessionOwner,
} from './session-driver.js';
import type { PublishedValue, SynchronizationPort } from './synchronization-port.js';
import { synchronizationSession } from './synchronization-session.js';

/** A synchronization session's driver: besides what all have, the value that the objective's listener holds. */
export class SynchronizationDriver extends SessionDriver implements SynchronizationPort {
  override get machine(): string {
    return synchronizationSession.id;
  }

  constructor(owner: SessionOwner, name: string, way: OutgoingSession | IncomingSession) {
    super(owner, owner.logic.synchronization, name, way);
  }

  // SynchronizationPort

  get published(): PublishedValue | undefined {
    return this.listener?.published;
  }

  protected override abandon(): void {
    // An initiator's call has been told; nobody else knows of the session.
  }
}
