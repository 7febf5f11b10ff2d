/** `grasp decode [HEX]`: what bytes mean, as CBOR and as GRASP messages. Needs no engine. */
import {
  DEF_DECODE_LIMITS,
  MessageFramer,
  decodeMessage,
  diagnostic,
  type DecodeResult,
  type MessageContext,
} from '../../protocol/index.js';
import { Exit, usageError } from '../exit.js';
import type { Output } from '../output.js';
import { describeMessage, messageName } from '../message-text.js';
import { parseHex } from '../values.js';

/** Where a message can stand; a dump does not say where it was taken, so each is tried. */
const CONTEXTS: readonly MessageContext[] = ['multicast', 'response', 'rapid', 'session'];

/** Decodes every CBOR item in the text, which is hex digits as dumps show them. */
export function decode(output: Output, text: string): Exit {
  const bytes = parseHex(text);
  if (bytes === undefined || bytes.length === 0) {
    throw usageError(
      bytes === undefined ? 'this is not hexadecimal' : 'there is nothing to decode',
      'give the hex digits of one or more CBOR items, e.g. grasp decode 8100, or pipe them in',
    );
  }
  const framer = new MessageFramer({ maxBytes: Math.max(bytes.length, DEF_DECODE_LIMITS.maxBytes) });
  framer.push(bytes);
  let exit: Exit = Exit.done;
  for (;;) {
    const next = framer.next();
    if (next.kind === 'item') {
      if (!tellItem(output, next.bytes)) exit = Exit.noAgreement;
      continue;
    }
    if (next.kind === 'malformed') {
      tellBroken(output, next.reason);
      return Exit.noAgreement;
    }
    if (framer.pendingBytes > 0) {
      tellBroken(output, 'truncated', framer.pendingBytes);
      return Exit.noAgreement;
    }
    return exit;
  }
}

/** One well-formed item; true if it is a GRASP message somewhere. */
function tellItem(output: Output, bytes: Uint8Array): boolean {
  // A dump may be of any size; how large a message may be is for those who receive it.
  const limits = { ...DEF_DECODE_LIMITS, maxBytes: Math.max(bytes.length, DEF_DECODE_LIMITS.maxBytes) };
  const results = CONTEXTS.map((context) => ({ context, result: decodeMessage(bytes, context, limits) }));
  const valid = results.filter(({ result }) => result.ok);
  const notation = diagnostic(bytes);
  const accepted = valid[0]?.result;
  if (accepted?.ok === true) {
    const where = valid.map(({ context }) => context);
    const fields = describeMessage(accepted.message);
    output.line(
      {
        event: 'message',
        type: messageName(accepted.message.type),
        ...fields.json,
        bytes: bytes.length,
        contexts: where,
        droppedOptions: accepted.droppedOptions,
        diagnostic: notation,
      },
      [`${messageName(accepted.message.type)} (${bytes.length} bytes)`, ...fields.text, `cbor: ${notation}`]
        .map((line, i) => (i === 0 ? line : `  ${line}`))
        .join('\n'),
    );
    return true;
  }
  const refused = closest(results.map(({ result }) => result));
  const type = refused.messageType;
  const fields = {
    event: 'refused',
    kind: refused.kind,
    reason: refused.reason,
    type: type === undefined ? null : messageName(type),
    sessionId: refused.sessionId ?? null,
    bytes: bytes.length,
    diagnostic: notation,
  };
  const what = type === undefined ? 'Not a GRASP message' : `Not a valid ${messageName(type)}`;
  output.line(fields, `${what}: ${refused.reason} (${refused.kind})\n  cbor: ${notation}`);
  return false;
}

type Refusal = Extract<DecodeResult, { ok: false }>;

/** The refusal that says most: one for the content, not for the place. */
function closest(results: readonly DecodeResult[]): Refusal {
  const refusals = results.filter((result): result is Refusal => !result.ok);
  return refusals.find((r) => r.kind !== 'misplaced') ?? refusals[0]!;
}

function tellBroken(output: Output, reason: string, pendingBytes?: number): void {
  const rest = pendingBytes === undefined ? '' : `, ${pendingBytes} bytes of an item that has more`;
  output.line(
    { event: 'refused', kind: 'malformed', reason, pendingBytes },
    `Not well-formed CBOR: ${reason}${rest}`,
  );
}
