/** Decodes a message where it stands, and says more of one that does not belong there than that. */
import {
  DEF_DECODE_LIMITS,
  decodeMessage,
  type Message,
  type MessageContext,
  type Refused,
} from '../protocol/index.js';
import type { Found } from './endpoints.js';

/** Every place a message can have. */
export const CONTEXTS: readonly MessageContext[] = ['multicast', 'response', 'rapid', 'session'];

/** What may be said in a conversation, by how it was found. */
const TCP_CONTEXTS: Readonly<Record<Found, readonly MessageContext[]>> = {
  // Discovery by unicast, its answer on the same connection, requests, neighbour connections of the ACP.
  port: ['multicast', 'session', 'rapid'],
  locator: ['session'],
  discovery: ['rapid'],
  hint: ['session'],
  content: ['session', 'rapid'],
};

export type Judgement =
  | {
      readonly kind: 'message';
      readonly message: Message;
      readonly droppedOptions: number;
      readonly refusal: Refused | undefined;
    }
  | { readonly kind: 'refused'; readonly refusal: Refused };

/** A datagram. */
export function judgeDatagram(bytes: Uint8Array): Judgement {
  return judge(bytes, ['multicast']);
}

/** One item of a stream. `both`: the port is known for a locator and as the source of a discovery. */
export function judgeItem(bytes: Uint8Array, found: Found, both: boolean): Judgement {
  return judge(bytes, both ? ['session', 'rapid', 'multicast'] : TCP_CONTEXTS[found]);
}

/** `contexts`: where it may stand here, not empty. */
export function judge(bytes: Uint8Array, contexts: readonly MessageContext[]): Judgement {
  // A capture has messages of any size; how large one may be is for those who receive it.
  const limits = { ...DEF_DECODE_LIMITS, maxBytes: Math.max(bytes.length, DEF_DECODE_LIMITS.maxBytes) };
  const refusals: Refused[] = [];
  for (const context of contexts) {
    const result = decodeMessage(bytes, context, limits);
    if (result.ok) return { kind: 'message', ...kept(result), refusal: undefined };
    refusals.push(result);
  }
  const refusal = refusals.find(({ kind }) => kind !== 'misplaced') ?? refusals[0]!;
  if (refusal.kind !== 'misplaced') return { kind: 'refused', refusal };
  for (const context of CONTEXTS) {
    const result = decodeMessage(bytes, context, limits);
    if (result.ok) return { kind: 'message', ...kept(result), refusal };
    if (result.kind !== 'misplaced') return { kind: 'refused', refusal: result };
  }
  return { kind: 'refused', refusal };
}

function kept({ message, droppedOptions }: { message: Message; droppedOptions: number }): {
  message: Message;
  droppedOptions: number;
} {
  return { message, droppedOptions };
}
