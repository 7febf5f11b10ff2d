/** What is seen in a capture, in the form in which it is handed on to be shown. */
import type { Message, Refused } from '../protocol/index.js';
import type { Found } from './endpoints.js';
import type { Place } from './packet.js';
import type { TroubleReason } from './reasons.js';

export type Observation =
  | {
      readonly kind: 'message';
      readonly place: Place;
      readonly found: Found;
      readonly bytes: Uint8Array;
      readonly message: Message;
      readonly droppedOptions: number;
      /** A valid message that does not belong where it is. */
      readonly refusal: Refused | undefined;
    }
  | {
      readonly kind: 'refused';
      readonly place: Place;
      readonly found: Found;
      /** What was looked at; of a stream that is not well-formed its next bytes. */
      readonly bytes: Uint8Array;
      readonly refusal: Refused;
    }
  | {
      readonly kind: 'trouble';
      /** undefined: it is about the capture as such. */
      readonly place: Place | undefined;
      readonly reason: TroubleReason;
      /** How many bytes it is about. */
      readonly count: number | undefined;
      /** The link type that is not known. */
      readonly linkType?: number;
    };

export interface CaptureCounts {
  packets: number;
  messages: number;
  /** Of GRASP, and not valid where it stands. */
  refused: number;
  /** Packets that hold GRASP, or belong to a connection that does. */
  graspPackets: number;
  /** Packets whose headers could not be read. */
  unreadable: number;
  fragments: number;
  /** TCP segments of GRASP connections. */
  retransmitted: number;
  outOfOrder: number;
}
