/**
 * Message → bytes: preferred, definite-length CBOR (RFC 8949 §4.2.1). The size is computed first, so that the result
 * is one fresh buffer of exactly that size; values and diagnostic contents are copied in as they are.
 */
import { put } from './bytes.js';
import * as C from './constants.js';
import { ErrorCode, GraspError } from './errors.js';
import type { Message, WireLocator, WireObjective } from './messages.js';
import { utf8Length, writeUtf8 } from './utf8.js';

let target: Uint8Array = new Uint8Array(0);
let position = 0;

/** The name encoded last, and its bytes: mostly it is the next one, too. */
let lastName = '';
let lastNameBytes: Uint8Array = target;

/**
 * Encodes a message into a buffer of its own. Values and `info` are taken for exactly one encoded CBOR item each,
 * as `encodeValue` and `decodeMessage` give them. Throws GraspError 3 if a field is outside its range.
 */
export function encodeMessage(m: Message): Uint8Array {
  return encodeInto(m, ownMemory);
}

const ownMemory = (bytes: number): Uint8Array => new Uint8Array(bytes);

/** The same into what `allocate` gives for its size. */
export function encodeInto(m: Message, allocate: (bytes: number) => Uint8Array): Uint8Array {
  const bytes = allocate(encodedSize(m));
  target = bytes;
  position = 0;
  writeMessage(m);
  return bytes;
}

/** Bytes that {@link encodeMessage} will produce, for the size limits. Throws as it does. */
export function encodedSize(m: Message): number {
  switch (m.type) {
    case C.M_NOOP:
      return 2;
    case C.M_DISCOVERY:
      return 2 + sessionId(m) + initiator(m.initiator) + objective(m.objective, false);
    case C.M_RESPONSE: {
      if (m.locators.length > 0 === (m.divert !== undefined)) fail('a response has locators or a divert');
      let size = uint(elements(m)) + 1 + sessionId(m) + initiator(m.initiator) + uint32(m.ttl, 'ttl');
      for (const l of m.locators) size += locator(l, false);
      if (m.divert) {
        if (m.divert.length === 0) fail('a divert has at least one locator');
        size += uint(m.divert.length + 1) + 2;
        for (const l of m.divert) size += locator(l, false);
      }
      return m.objective ? size + objective(m.objective, false) : size;
    }
    case C.M_REQ_SYN:
      return 2 + sessionId(m) + objective(m.objective, false);
    case C.M_REQ_NEG:
    case C.M_NEGOTIATE:
    case C.M_SYNCH:
      return 2 + sessionId(m) + objective(m.objective, true);
    case C.M_END: {
      const size = 2 + sessionId(m) + 3;
      return m.accept || m.reason === undefined ? size : size + text(m.reason, 'reason');
    }
    case C.M_WAIT:
      return 2 + sessionId(m) + uint32(m.waitingTime, 'waiting time');
    case C.M_FLOOD: {
      if (m.objectives.length === 0) fail('a flood has at least one objective');
      let size = uint(elements(m)) + 1 + sessionId(m) + initiator(m.initiator) + uint32(m.ttl, 'ttl');
      for (const entry of m.objectives) {
        size += 1 + objective(entry.objective, false) + (entry.locator ? locator(entry.locator, true) : 1);
      }
      return size;
    }
    case C.M_INVALID:
      return 3 + sessionId(m) + (m.info ? m.info.length : 0);
  }
}

/** Elements of the array of a message whose number varies. */
function elements(m: Message): number {
  if (m.type === C.M_RESPONSE) return 4 + m.locators.length + (m.divert ? 1 : 0) + (m.objective ? 1 : 0);
  return m.type === C.M_FLOOD ? 4 + m.objectives.length : 0;
}

function fail(detail: string): never {
  throw new GraspError(ErrorCode.unspec, detail);
}

/* Sizes, with the checks of each field. */

/** Bytes of a head with this argument. */
function uint(value: number): number {
  return value < 24 ? 1 : value < 0x100 ? 2 : value < 0x1_0000 ? 3 : value < 0x1_0000_0000 ? 5 : 9;
}

function inRange(value: number, max: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value > max) fail(`${what} is an integer from 0 to ${max}`);
  return uint(value);
}

function uint32(value: number, what: string): number {
  return inRange(value, C.MAX_UINT32, what);
}

function sessionId(m: { readonly sessionId: number }): number {
  return uint32(m.sessionId, 'session ID');
}

function initiator(address: Uint8Array): number {
  if (address.length !== 4 && address.length !== 16) fail('an initiator has 4 or 16 bytes');
  return 1 + address.length;
}

function text(value: string, what: string): number {
  const length = utf8Length(value);
  if (length < 0) fail(`${what} holds a lone surrogate`);
  return uint(length) + length;
}

function name(value: string): number {
  if (value !== lastName) {
    const length = utf8Length(value);
    if (length < 0) fail('name holds a lone surrogate');
    lastNameBytes = new Uint8Array(length);
    writeUtf8(lastNameBytes, 0, value, length);
    lastName = value;
  }
  const { length } = lastNameBytes;
  return uint(length) + length;
}

function objective(o: WireObjective, valueRequired: boolean): number {
  if (valueRequired && !o.value) fail('this message requires a value');
  return (
    1 +
    name(o.name) +
    inRange(o.flags, Number.MAX_SAFE_INTEGER, 'flags') +
    inRange(o.loopCount, C.MAX_LOOP_COUNT, 'loop count') +
    (o.value ? o.value.length : 0)
  );
}

function locator(l: WireLocator, opaque: boolean): number {
  let size = 3;
  switch (l.type) {
    case C.O_IPv6_LOCATOR:
    case C.O_IPv4_LOCATOR: {
      const length = l.type === C.O_IPv6_LOCATOR ? 16 : 4;
      if (l.address.length !== length) fail(`the address of this locator has ${length} bytes`);
      size += 1 + length;
      break;
    }
    default:
      size += text(l.type === C.O_FQDN_LOCATOR ? l.name : l.uri, 'locator');
  }
  // Null only in URI locators, and in floods a null port everywhere (C-11).
  size += l.protocol === null && l.type === C.O_URI_LOCATOR ? 1 : inRange(l.protocol ?? -1, 255, 'protocol');
  const nullable = opaque || l.type === C.O_URI_LOCATOR;
  return size + (l.port === null && nullable ? 1 : inRange(l.port ?? -1, C.MAX_PORT, 'port'));
}

/* Writing; everything has been checked. */

function writeMessage(m: Message): void {
  switch (m.type) {
    case C.M_NOOP:
      writeHead(4, 1);
      writeHead(0, m.type);
      break;
    case C.M_DISCOVERY:
      writeStart(4, m.type, m.sessionId);
      writeBytes(m.initiator);
      writeObjective(m.objective);
      break;
    case C.M_RESPONSE:
      writeStart(elements(m), m.type, m.sessionId);
      writeBytes(m.initiator);
      writeHead(0, m.ttl);
      for (const l of m.locators) writeLocator(l);
      if (m.divert) {
        writeHead(4, m.divert.length + 1);
        writeHead(0, C.O_DIVERT);
        for (const l of m.divert) writeLocator(l);
      }
      if (m.objective) writeObjective(m.objective);
      break;
    case C.M_REQ_NEG:
    case C.M_REQ_SYN:
    case C.M_NEGOTIATE:
    case C.M_SYNCH:
      writeStart(3, m.type, m.sessionId);
      writeObjective(m.objective);
      break;
    case C.M_END: {
      writeStart(3, m.type, m.sessionId);
      const reason = m.accept ? undefined : m.reason;
      writeHead(4, reason === undefined ? 1 : 2);
      writeHead(0, m.accept ? C.O_ACCEPT : C.O_DECLINE);
      if (reason !== undefined) writeText(reason);
      break;
    }
    case C.M_WAIT:
      writeStart(3, m.type, m.sessionId);
      writeHead(0, m.waitingTime);
      break;
    case C.M_FLOOD:
      writeStart(elements(m), m.type, m.sessionId);
      writeBytes(m.initiator);
      writeHead(0, m.ttl);
      for (const entry of m.objectives) {
        writeHead(4, 2);
        writeObjective(entry.objective);
        if (entry.locator) writeLocator(entry.locator);
        else writeHead(4, 0);
      }
      break;
    case C.M_INVALID:
      writeStart(m.info ? 3 : 2, m.type, m.sessionId);
      if (m.info) writeRaw(m.info);
  }
}

function writeStart(count: number, type: number, id: number): void {
  writeHead(4, count);
  writeHead(0, type);
  writeHead(0, id);
}

function writeHead(major: number, value: number): void {
  const type = major << 5;
  if (value < 24) {
    target[position++] = type | value;
  } else if (value < 0x100) {
    target[position++] = type | 24;
    target[position++] = value;
  } else if (value < 0x1_0000) {
    target[position++] = type | 25;
    target[position++] = value >> 8;
    target[position++] = value;
  } else if (value < 0x1_0000_0000) {
    target[position++] = type | 26;
    writeUint32(value);
  } else {
    target[position++] = type | 27;
    writeUint32(Math.floor(value / 0x1_0000_0000));
    writeUint32(value % 0x1_0000_0000);
  }
}

function writeUint32(value: number): void {
  target[position++] = value >>> 24;
  target[position++] = value >>> 16;
  target[position++] = value >>> 8;
  target[position++] = value;
}

function writeRaw(bytes: Uint8Array): void {
  position = put(target, position, bytes);
}

function writeBytes(bytes: Uint8Array): void {
  writeHead(2, bytes.length);
  writeRaw(bytes);
}

function writeText(value: string): void {
  const length = utf8Length(value);
  writeHead(3, length);
  position = writeUtf8(target, position, value, length);
}

function writeNullable(value: number | null): void {
  if (value === null) target[position++] = 0xf6;
  else writeHead(0, value);
}

function writeObjective(o: WireObjective): void {
  writeHead(4, o.value ? 4 : 3);
  if (o.name === lastName) {
    writeHead(3, lastNameBytes.length);
    writeRaw(lastNameBytes);
  } else writeText(o.name);
  writeHead(0, o.flags);
  writeHead(0, o.loopCount);
  if (o.value) writeRaw(o.value);
}

function writeLocator(l: WireLocator): void {
  writeHead(4, 4);
  writeHead(0, l.type);
  if (l.type === C.O_FQDN_LOCATOR) writeText(l.name);
  else if (l.type === C.O_URI_LOCATOR) writeText(l.uri);
  else writeBytes(l.address);
  writeNullable(l.protocol);
  writeNullable(l.port);
}
