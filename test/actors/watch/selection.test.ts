import { describe, expect, test } from '@jest/globals';
import { Conditions, Rate, Sampler } from '../../../src/actors/watch/selection.js';
import type { InspectionSpec } from '../../../src/actors/watch/protocol.js';
import { M_FLOOD, M_NEGOTIATE, type Message } from '../../../src/protocol/index.js';

const conditions = (some: Partial<InspectionSpec>): Conditions =>
  new Conditions({ kind: 'inspection', share: 1, maxPerSecond: Infinity, hold: 100, ...some });

describe('conditions', () => {
  test('what is not known yet is undecided; one that is not met decides', () => {
    const both = conditions({ objective: 'EX3', session: 7 });
    expect(both.judge({ objective: 'EX3' })).toBe('maybe');
    expect(both.judge({ objective: 'EX3', session: 7 })).toBe('yes');
    expect(both.judge({ objective: 'EX3', session: 8 })).toBe('no');
    expect(both.judge({ objective: 'EX4' })).toBe('no');
    expect(conditions({}).judge({})).toBe('yes');
  });

  test('a peer is an address, whatever port, zone or IPv4 mapping it comes with', () => {
    const peer = conditions({ peer: '192.0.2.1' });
    expect(peer.judge({ peer: { address: '::ffff:192.0.2.1', port: 1 } })).toBe('yes');
    expect(peer.judge({ peer: { address: '192.0.2.2', port: 1 } })).toBe('no');
    const linkLocal = conditions({ peer: 'fe80::1' });
    expect(linkLocal.judge({ peer: { address: 'fe80::1%eth0', port: 1, interface: 'eth0' } })).toBe('yes');
  });

  test('a message is about what it names: every objective of a flood, its initiator, its session', () => {
    const objective = (name: string) => ({
      objective: { name, flags: 5, loopCount: 3, value: undefined },
      locator: undefined,
    });
    const flood: Message = {
      type: M_FLOOD,
      sessionId: 9,
      initiator: Uint8Array.of(192, 0, 2, 1),
      ttl: 0,
      objectives: [objective('EX1'), objective('EX2')],
    };
    const from = { address: '192.0.2.77', port: 1 };
    expect(conditions({ objective: 'EX2' }).meets(flood, from)).toBe(true);
    expect(conditions({ objective: 'EX3' }).meets(flood, from)).toBe(false);
    expect(conditions({ peer: '192.0.2.1' }).meets(flood, from)).toBe(true);
    expect(conditions({ peer: '192.0.2.77' }).meets(flood, from)).toBe(true);
    expect(conditions({ peer: '192.0.2.78' }).meets(flood, from)).toBe(false);
    expect(conditions({ session: 9 }).meets(flood, undefined)).toBe(true);
    const step: Message = { type: M_NEGOTIATE, sessionId: 8, objective: objective('EX3').objective };
    expect(conditions({ session: 9 }).meets(step, undefined)).toBe(false);
    expect(conditions({ peer: '192.0.2.1' }).meets(step, undefined)).toBe(false);
  });
});

describe('sampling', () => {
  test.each([
    [0.01, 10],
    [0.1, 100],
    [1 / 3, 333],
    [1, 1000],
    [0, 0],
  ])('a share of %d of a thousand is %d, evenly', (share, chosen) => {
    const sampler = new Sampler(share);
    const choices = Array.from({ length: 1000 }, () => sampler.choose());
    expect(Math.abs(choices.filter(Boolean).length - chosen)).toBeLessThanOrEqual(1);
    // The first one is among them, so that a page that opens shows something at once.
    expect(choices[0]).toBe(share > 0);
  });
});

describe('rate', () => {
  test('so many a second and no more; with little left nothing new is begun', () => {
    let now = 0;
    const rate = new Rate(100, () => now);
    for (let i = 0; i < 76; i++) expect(rate.take()).toBe(true);
    expect(rate.roomy).toBe(true);
    expect(rate.take()).toBe(true);
    expect(rate.roomy).toBe(false);
    for (let i = 0; i < 23; i++) expect(rate.take()).toBe(true);
    expect(rate.take()).toBe(false);
    now = 500;
    for (let i = 0; i < 50; i++) expect(rate.take()).toBe(true);
    expect(rate.take()).toBe(false);
  });

  test('Infinity is no limit', () => {
    const rate = new Rate(Infinity, () => 0);
    for (let i = 0; i < 1000; i++) expect(rate.take()).toBe(true);
    expect(rate.roomy).toBe(true);
  });
});
