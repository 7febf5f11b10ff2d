/**
 * One end of a message channel between two actors hosts: a worker's MessagePort, or its inline twin in the
 * same thread. The shape is the part of MessagePort that the engine uses.
 */
export interface Endpoint {
  /** Queues `message` for the other end; never calls it synchronously. FIFO. */
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
  /**
   * Like {@link postMessage}, by a caller that has a turn to itself: nobody waits for it to return. Where the other end
   * is in the same thread it is handed over in this turn instead of one more. Absent: postMessage does.
   */
  postInOwnTurn?(message: unknown): void;
  /** The handler of what arrives here; set once. Messages that came earlier are kept until then. */
  onMessage(handler: (message: unknown) => void): void;
  /** Called once when the other end is closed or its thread has ended. */
  onClose(handler: () => void): void;
  close(): void;
}

/** What may be moved instead of copied: ArrayBuffers, MessagePorts, and inline endpoints in one thread. */
export type Transferable = object;
