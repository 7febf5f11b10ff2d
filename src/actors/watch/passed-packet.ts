import { decodeMessage, type Message, type MessageContext } from '../../protocol/index.js';
import type { Packet } from '../../runtime/index.js';

/** Discoveries and floods; and what answers a discovery. */
const CONTEXTS: readonly MessageContext[] = ['multicast', 'rapid'];

/** A packet that has passed, for viewers: decoded when one of them looks into it, and then once for all. */
export class PassedPacket {
  readonly packet: Packet;
  #message: Message | undefined;
  #decoded = false;

  constructor(packet: Packet) {
    this.packet = packet;
  }

  /** Undefined: it is none. */
  get message(): Message | undefined {
    if (!this.#decoded) {
      this.#decoded = true;
      this.#message = this.packet.message ?? decoded(this.packet.bytes);
    }
    return this.#message;
  }
}

/** What this engine has made or passed on is a message; where it stands decides which context has it. */
function decoded(bytes: Uint8Array): Message | undefined {
  for (const context of CONTEXTS) {
    const result = decodeMessage(bytes, context);
    if (result.ok) return result.message;
  }
  return undefined;
}
