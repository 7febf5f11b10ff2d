/**
 * What crosses the endpoint between a {@link SimulatedNetwork} and one engine thread, both ways. Every message is
 * an array of these plain objects, all that one turn produced. Stream ids: even ones are given by the client
 * (connect), odd ones by the network (accepted).
 */
import type { Environment, SubstrateError, Target } from '../types.js';

export type ErrorKind = SubstrateError['kind'];

/** A SubstrateError as data; rebuilt on the other side. */
export interface ErrorData {
  readonly kind: ErrorKind;
  readonly message: string;
}

/** Client → network. `req` asks for a {@link ServerOp} `reply` with the same number. */
export type ClientOp =
  | { op: 'openReceiver'; req: number; id: number; interface: string }
  | { op: 'openPair'; req: number; id: number; interface: string; port: number; backlog: number }
  | { op: 'listen'; req: number; id: number; port: number; backlog: number }
  | { op: 'openWellKnown'; req: number; id: number; backlog: number }
  | { op: 'release'; req: number; id: number }
  | { op: 'multicast'; req: number; id: number; bytes: Uint8Array }
  | { op: 'connect'; req: number; id: number; target: Target; timeoutMs: number }
  | { op: 'cancelConnect'; id: number }
  | { op: 'accepted'; id: number }
  | StreamOp
  /** So many bytes of datagrams have been handled: room for as many again. */
  | { op: 'taken'; bytes: number }
  | { op: 'close' };

/** Network → client. */
export type ServerOp =
  | { op: 'environment'; environment: Environment }
  | { op: 'reply'; req: number; error?: ErrorData; port?: number; remote?: Target; local?: Target }
  | {
      op: 'datagram';
      ids: readonly number[];
      interface: string;
      address: string;
      port: number;
      bytes: Uint8Array;
    }
  | { op: 'drops'; id: number; drops: number }
  | { op: 'dropped'; reason: string }
  | { op: 'lost'; id: number; error: ErrorData }
  /** `by`: the interface, for the well-known port. */
  | { op: 'stream'; id: number; listener: number; remote: Target; local: Target; by?: string }
  | StreamOp;

/** The same both ways: what one end of a stream tells the other. */
export type StreamOp =
  /** `part`: not the first piece of its write (writes longer than the window are cut). */
  | { op: 'data'; id: number; bytes: Uint8Array; part?: boolean }
  | { op: 'end'; id: number }
  | { op: 'abort'; id: number }
  /** So many bytes have been consumed: room for as many again. */
  | { op: 'credit'; id: number; bytes: number };

/** Bytes of one stream and direction that may be under way or unread. A write may exceed it by one piece. */
export const STREAM_WINDOW_BYTES = 65_536;

/** From this many unsent bytes on, `write` returns false; as Node's own default for sockets. */
export const STREAM_HIGH_WATER_BYTES = 16_384;

/** Accepted streams a listener may have waiting; as Node's own default. */
export const DEFAULT_BACKLOG = 511;
