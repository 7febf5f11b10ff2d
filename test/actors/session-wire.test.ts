/** What crosses between threads arrives as what it was. */
import { expect, test } from '@jest/globals';
import { callForm, eventForm } from '../../src/actors/session-wire.js';
import type { FromSessions, ToSessions } from '../../src/actors/session-protocol.js';

const value = Uint8Array.of(0x82, 1, 2);
const objective = { name: 'EX3', flags: 3, loopCount: 6 };
const global = { address: '2001:db8::1', port: 40_000 };
const local = { address: 'fe80::1', port: 40_001, interface: 'eth0' };
const named = { ...global, address: 'router.example', fqdn: true };
const owned = { call: 1, session: 2, asa: 3, objective };
const times = { connectTimeoutMs: 5_000, timeoutMs: 60_000 };

const calls: ToSessions[] = [
  { t: 'request', ...owned, value, target: global, ...times, maxMessageBytes: 9 },
  { t: 'request', ...owned, value, target: local, ...times },
  { t: 'request', ...owned, value, target: named, ...times },
  { t: 'rapid', ...owned, value, discoveryMs: 500, timeoutMs: 60_000 },
  { t: 'synchronize', ...owned, target: local, ...times },
  { t: 'step', call: 4, session: -5, value, loopCount: undefined, dryRun: undefined, timeoutMs: 60_000 },
  { t: 'step', call: 4, session: -5, value, loopCount: 3, dryRun: false, timeoutMs: 1 },
  { t: 'wait', call: 6, session: 7, waitMs: 8 },
  { t: 'end', call: 9, session: 10, accept: true, reason: undefined },
  { t: 'end', call: 9, session: 10, accept: false, reason: 'no' },
  { t: 'invalid', call: 11, session: 12, info: value },
  { t: 'take', listen: 13, n: 14 },
];

const failure = { code: 1, detail: 'd', reason: 'r', over: false };
const to = { call: 3, session: 4 };
const events: FromSessions[] = [
  { t: 'incoming', listen: 1, session: -2, objective, value, remote: global, sessionId: 4_000_000_000 },
  { t: 'incoming', listen: 1, session: -2, objective, value, remote: local, sessionId: 1 },
  { t: 'answer', ...to, answer: { state: 'offered', value, loopCount: 5, sessionId: 6, remote: local } },
  { t: 'answer', ...to, answer: { state: 'accepted', sessionId: 6, remote: global } },
  { t: 'answer', ...to, answer: { state: 'synchronized', objective, value, sessionId: 6, remote: local } },
  { t: 'answer', ...to, answer: { state: 'failed', failure } },
  { t: 'done', ...to, failure: undefined },
  { t: 'done', ...to, failure },
  { t: 'ended', session: 9, failure },
];

test.each(calls)('call $t', (call) => {
  expect(callForm.unpack(structuredClone(callForm.pack(call)))).toEqual(call);
});

test.each(events)('event $t', (event) => {
  expect(eventForm.unpack(structuredClone(eventForm.pack(event)))).toEqual(event);
});

test('what comes often travels without the names of its fields; what was not packed is taken as it is', () => {
  const packed = [...calls.map(callForm.pack), ...events.map(eventForm.pack)];
  const lists = [...calls, ...events].filter((_, i) => Array.isArray(packed[i]));
  const often = ['request', 'step', 'end', 'take', 'incoming', 'answer', 'done'];
  expect([...new Set(lists.map(({ t }) => t))]).toEqual(often);
  for (const call of calls) expect(callForm.unpack(call)).toBe(call);
  for (const event of events) expect(eventForm.unpack(event)).toBe(event);
});
