import { describe, expect, test } from '@jest/globals';
import {
  encodedSize,
  encodeMessage,
  GraspError,
  type Message,
  type WireLocator,
} from '../../src/protocol/index.js';
import { hex, toHex } from './helpers.js';

const objective = { name: 'EX1', flags: 3, loopCount: 6, value: hex('f6') };
const ini = hex('c000020a');
const tcp: WireLocator = { type: 104, address: ini, protocol: 6, port: 1 };

function refused(m: Message): unknown {
  try {
    encodeMessage(m);
  } catch (error) {
    expect(GraspError.is(error)).toBe(true);
    return (error as GraspError).code;
  }
  return undefined;
}

describe('fields out of range are the caller’s error, 3', () => {
  const response = {
    type: 2,
    sessionId: 1,
    initiator: ini,
    ttl: 1,
    locators: [tcp],
    divert: undefined,
    objective: undefined,
  } as const;
  const flood = {
    type: 9,
    sessionId: 1,
    initiator: ini,
    ttl: 1,
    objectives: [{ objective, locator: tcp }],
  } as const;
  const withLocator = (l: unknown): Message => ({ ...response, locators: [l as WireLocator] });
  const cases: readonly (readonly [string, Message])[] = [
    ['session ID negative', { type: 7, sessionId: -1, waitingTime: 0 }],
    ['session ID 2^32', { type: 7, sessionId: 2 ** 32, waitingTime: 0 }],
    ['session ID fraction', { type: 7, sessionId: 1.5, waitingTime: 0 }],
    ['session ID NaN', { type: 7, sessionId: NaN, waitingTime: 0 }],
    ['waiting time 2^32', { type: 7, sessionId: 1, waitingTime: 2 ** 32 }],
    ['initiator of 5 bytes', { type: 1, sessionId: 1, initiator: hex('0102030405'), objective }],
    ['ttl', { ...response, ttl: -1 }],
    ['flood ttl', { ...flood, ttl: 2 ** 32 }],
    ['no locator', { ...response, locators: [] }],
    ['locators and divert', { ...response, divert: [tcp] }],
    ['empty divert', { ...response, locators: [], divert: [] }],
    ['empty flood', { ...flood, objectives: [] }],
    ['loop count 256', { type: 3, sessionId: 1, objective: { ...objective, loopCount: 256 } }],
    ['loop count negative', { type: 3, sessionId: 1, objective: { ...objective, loopCount: -1 } }],
    ['flags negative', { type: 3, sessionId: 1, objective: { ...objective, flags: -1 } }],
    ['lone surrogate in the name', { type: 3, sessionId: 1, objective: { ...objective, name: 'a\ud800' } }],
    ['lone surrogate in the reason', { type: 6, sessionId: 1, accept: false, reason: '\udc00' }],
    ['no value in M_REQ_NEG', { type: 3, sessionId: 1, objective: { ...objective, value: undefined } }],
    ['no value in M_NEGOTIATE', { type: 5, sessionId: 1, objective: { ...objective, value: undefined } }],
    ['no value in M_SYNCH', { type: 8, sessionId: 1, objective: { ...objective, value: undefined } }],
    ['IPv6 address of 4 bytes', withLocator({ ...tcp, type: 103 })],
    ['IPv4 address of 16 bytes', withLocator({ ...tcp, address: new Uint8Array(16) })],
    ['protocol 256', withLocator({ ...tcp, protocol: 256 })],
    ['null protocol', withLocator({ ...tcp, protocol: null })],
    ['null port in a response', withLocator({ ...tcp, port: null })],
    ['port 65536', withLocator({ type: 105, name: 'x', protocol: 6, port: 65536 })],
    ['lone surrogate in a URI', withLocator({ type: 106, uri: '\ud83d', protocol: null, port: null })],
    [
      'null protocol in a flood',
      { ...flood, objectives: [{ objective, locator: { ...tcp, protocol: null } as never }] },
    ],
  ];
  test.each(cases)('%s', (_name, m) => {
    expect(refused(m)).toBe(3);
    expect(() => encodedSize(m)).toThrow(GraspError);
  });
});

test('§2.9.3 an accept carries no reason', () => {
  expect(toHex(encodeMessage({ type: 6, sessionId: 1, accept: true, reason: 'why' }))).toBe('830601811865');
});

test('C-11 a null port is written where it is tolerated', () => {
  const m: Message = {
    type: 9,
    sessionId: 1,
    initiator: ini,
    ttl: 0,
    objectives: [{ objective: { ...objective, flags: 4 }, locator: { ...tcp, protocol: 41, port: null } }],
  };
  expect(toHex(encodeMessage(m))).toContain('84186844c000020a1829f6');
});

test('the result is a buffer of its own of exactly the size', () => {
  for (const name of ['x', 'x'.repeat(24), 'x'.repeat(300), 'é'.repeat(24), '🌐'.repeat(80)]) {
    const m: Message = { type: 3, sessionId: 70000, objective: { ...objective, name } };
    const bytes = encodeMessage(m);
    expect(bytes.buffer.byteLength).toBe(encodedSize(m));
    expect(bytes.constructor).toBe(Uint8Array);
    expect(Buffer.from(bytes).includes(Buffer.from(name, 'utf8'))).toBe(true);
  }
});
