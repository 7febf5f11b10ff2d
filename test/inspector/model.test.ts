/** What the page makes of the feed; the same code runs in the browser. */
import { describe, expect, test } from '@jest/globals';
import type { FeedItem, StatusSample, ToPage } from '../../src/inspector/feed.js';
import { ACTORS_KEPT, matches } from '../../src/inspector/model/actors.js';
import { CONVERSATIONS_KEPT, result, saidAt, waitTook } from '../../src/inspector/model/conversations.js';
import { asaOf, census, EngineHistory } from '../../src/inspector/model/engine.js';
import { Model } from '../../src/inspector/model/model.js';
import { addressOf, FLOODS_KEPT, PEERS_KEPT } from '../../src/inspector/model/network.js';
import { duration, machineTitle, percentage, short } from '../../src/inspector/model/text.js';
import { actor, emptyStatus, message, objective, session, step } from './fake-engine.js';

const dropped = { unsampled: 0, rate: 0, slow: 0 };

function model(...nodes: string[]): {
  model: Model;
  steps: string[];
  tell: (node: string, ...items: FeedItem[]) => void;
} {
  const steps: string[] = [];
  const made = new Model({
    reset: () => steps.push('reset'),
    stepped: (of, { from, to }) => steps.push(`${of.key}: ${from} > ${to}`),
  });
  const hello: ToPage = {
    type: 'hello',
    version: '1',
    now: 1_000,
    codes: {},
    nodes: nodes.map((name) => ({ name, items: [], samples: [], forgotten: 0, ended: false })),
  };
  made.take(hello, 400);
  return { model: made, steps, tell: (node, ...items) => made.take({ type: 'items', node, items }, 0) };
}

describe('machines', () => {
  test('follow every step, and tell those that happen now', () => {
    const { model: m, steps, tell } = model('n');
    tell(
      'n',
      actor('x:1', 'idle', { at: 1, about: { objective: 'EX3' } }),
      step('x:1', 'request', 'connecting', { at: 2 }),
    );
    tell('n', step('x:1', 'session.close', 'ended', { at: 3, status: 'done' }));
    const [only] = m.actors.of('negotiationSession');
    expect(only).toMatchObject({
      state: 'ended',
      status: 'done',
      begunAt: 1,
      endedAt: 3,
      first: { state: 'idle' },
    });
    expect(only?.steps.map(({ event, from, to }) => [event.type, from, to])).toEqual([
      ['request', 'idle', 'connecting'],
      ['session.close', 'connecting', 'ended'],
    ]);
    expect(steps).toEqual(['reset', 'n x:1: idle > connecting', 'n x:1: connecting > ended']);
    expect(m.clockOffset).toBe(600);
  });

  test('a page that comes late is told the history, without animating it', () => {
    const steps: string[] = [];
    const m = new Model({ reset: () => steps.push('reset'), stepped: () => steps.push('step') });
    const items = [actor('x:1', 'idle', { at: 1 }), step('x:1', 'request', 'connecting', { at: 2 })];
    const node = { name: 'n', items, samples: [], forgotten: 3, ended: true };
    m.take({ type: 'hello', version: '1', now: 0, codes: {}, nodes: [node] }, 0);
    expect(m.actors.of('negotiationSession')[0]?.state).toBe('connecting');
    expect([m.forgotten, [...m.ended], steps]).toEqual([3, ['n'], ['reset']]);
  });

  test('are found by objective, peer, state, session id', () => {
    const { model: m, tell } = model('n');
    const about = {
      objective: 'EX3',
      peer: '[2001:db8::1]:7017',
      session: 0xabc,
      role: 'initiator' as const,
    };
    tell('n', actor('x:1', 'connecting', { about }));
    const [only] = m.actors.of('negotiationSession');
    if (only === undefined) throw new Error('no actor');
    for (const words of ['ex3', '2001:db8', 'connect', '00000abc', 'initiator ex3']) {
      expect([words, matches(only, words)]).toEqual([words, true]);
    }
    expect(matches(only, 'ex3 ended')).toBe(false);
  });

  test('of the same id on two nodes are two; a step of an unknown one is nobody’s', () => {
    const { model: m, tell } = model('a', 'b');
    tell('a', actor('x:1', 'idle'));
    tell('b', actor('x:1', 'idle'), step('x:2', 'request', 'connecting'));
    expect(m.actors.of('negotiationSession').map(({ key }) => key)).toEqual(['b x:1', 'a x:1']);
    expect(m.actors.of('negotiationSession', 'a')).toHaveLength(1);
  });

  test('are bounded: those that ended go first', () => {
    const { model: m, tell } = model('n');
    tell('n', actor('live', 'idle'));
    for (let i = 0; i < ACTORS_KEPT + 10; i++)
      tell('n', actor(`x:${i}`, 'idle'), step(`x:${i}`, 'e', 'ended', { status: 'done' }));
    expect(m.actors.byKey.size).toBe(ACTORS_KEPT);
    expect(m.actors.byKey.has('n live')).toBe(true);
  });
});

describe('conversations', () => {
  const said = (
    name: Parameters<typeof message>[0],
    speaker: 'client' | 'bank',
    at: number,
    more: Parameters<typeof message>[2] = {},
  ): [FeedItem, FeedItem] => {
    const sent = {
      at,
      session: 7,
      actor: speaker === 'client' ? 'c' : 'b',
      role: speaker === 'client' ? 'initiator' : 'responder',
    } as const;
    const got = {
      at: at + 1,
      session: 7,
      actor: speaker === 'client' ? 'b' : 'c',
      role: speaker === 'client' ? 'responder' : 'initiator',
    } as const;
    return [message(name, 'sent', { ...sent, ...more }), message(name, 'received', { ...got, ...more })];
  };
  const dialogue = [
    ['client', said('M_REQ_NEG', 'client', 10, { objectives: [objective('EX3', '["NZD", 300]')] })],
    ['bank', said('M_WAIT', 'bank', 20, { waitMs: 10_000 })],
    ['bank', said('M_NEGOTIATE', 'bank', 170, { objectives: [objective('EX3', '["NZD", 150]', 5)] })],
    ['client', said('M_END', 'client', 200, { accept: true })],
  ] as const;
  const about = { objective: 'EX3', session: 7 };

  test('are the same whether one side is watched or both, whoever tells first', () => {
    const texts = (order: 'both' | 'late' | 'client'): unknown => {
      const { model: m, tell } = model('client', 'bank');
      const ofBank: FeedItem[] = [];
      for (const [speaker, [sent, received]] of dialogue) {
        const [clients, banks] = speaker === 'client' ? [sent, received] : [received, sent];
        tell('client', clients);
        if (order === 'both') tell('bank', banks);
        else ofBank.push(banks);
      }
      tell(
        'client',
        session('c', 'ended', { at: 201, about: { ...about, role: 'initiator' }, outcome: 'accepted' }),
      );
      if (order === 'late') tell('bank', ...ofBank);
      expect(m.conversations.byKey.size).toBe(1);
      const [only] = m.conversations.byKey.values();
      return only?.utterances.map(({ speaker, message: name, value, loopCount }) => [
        speaker,
        name,
        value,
        loopCount,
      ]);
    };
    const expected = [
      ['initiator', 'M_REQ_NEG', '["NZD", 300]', 6],
      ['responder', 'M_WAIT', undefined, undefined],
      ['responder', 'M_NEGOTIATE', '["NZD", 150]', 5],
      ['initiator', 'M_END', undefined, undefined],
    ];
    expect(texts('both')).toEqual(expected);
    expect(texts('late')).toEqual(expected);
    expect(texts('client')).toEqual(expected);
  });

  test('know how long a wait took, what was agreed, and how it ended', () => {
    const { model: m, tell } = model('client');
    for (const [speaker, pair] of dialogue) tell('client', pair[speaker === 'client' ? 0 : 1]);
    const [only] = m.conversations.byKey.values();
    if (only === undefined) throw new Error('no conversation');
    const wait = only.utterances[1];
    expect(wait?.waitMs).toBe(10_000);
    expect(wait && waitTook(only, wait)).toBe(150);
    expect(result(only)).toBeUndefined();
    tell(
      'client',
      session('c', 'ended', { at: 201, about: { ...about, role: 'initiator' }, outcome: 'accepted' }),
    );
    expect([only.outcome, result(only), only.endedAt]).toEqual(['accepted', '["NZD", 150]', 201]);
    expect(only.utterances.map(saidAt)).toEqual([10, 21, 171, 200]);
  });

  test('one side’s failure does not hide what the other side knows', () => {
    const { model: m, tell } = model('client', 'bank');
    tell(
      'client',
      session('c', 'ended', { about: { ...about, role: 'initiator' }, outcome: 'failed', code: 23 }),
    );
    tell(
      'bank',
      session('b', 'ended', { about: { ...about, role: 'responder' }, outcome: 'declined', reason: 'no' }),
    );
    tell(
      'client',
      session('c', 'ended', { about: { ...about, role: 'initiator' }, outcome: 'failed', code: 23 }),
    );
    expect([...m.conversations.byKey.values()]).toMatchObject([{ outcome: 'declined', reason: 'no' }]);
  });

  test('are bounded, and multicasts are none', () => {
    const { model: m, tell } = model('n');
    tell('n', message('M_FLOOD', 'sent', { via: 'multicast', session: 1 }));
    expect(m.conversations.byKey.size).toBe(0);
    for (let i = 1; i <= CONVERSATIONS_KEPT + 5; i++) {
      tell(
        'n',
        message('M_REQ_NEG', 'sent', {
          session: i,
          actor: `x:${i}`,
          role: 'initiator',
          objectives: [objective('EX3')],
        }),
      );
    }
    expect(m.conversations.byKey.size).toBe(CONVERSATIONS_KEPT);
  });
});

describe('the network', () => {
  const own = emptyStatus({
    interfaces: [{ name: 'eth0', index: 2, linkLocal: 'fe80::1', addresses: ['2001:db8::1'], port: 1 }],
  });
  const sample: StatusSample = { at: 0, status: own, share: 1, dropped };

  test('knows initiators, responders and relays, and not itself', () => {
    const { model: m, tell } = model('n');
    m.take({ type: 'sample', node: 'n', sample }, 0);
    const via = 'multicast' as const;
    tell(
      'n',
      message('M_DISCOVERY', 'received', {
        via,
        session: 1,
        initiator: '2001:db8::9',
        peer: '[fe80::5%eth0]:7017',
        interface: 'eth0',
        objectives: [objective('EX1')],
      }),
      message('M_DISCOVERY', 'sent', {
        via,
        session: 2,
        initiator: '2001:db8::1',
        interface: 'eth0',
        objectives: [objective('EX2')],
      }),
      message('M_RESPONSE', 'received', {
        session: 2,
        initiator: '2001:db8::1',
        peer: '[2001:db8::7]:5000',
        ttl: 5_000,
        at: 100,
        locators: [{ kind: 'ipv6', address: '2001:db8::7', protocol: 6, port: 99 }],
      }),
    );
    const roles = [...m.network.peers.values()].map(({ name, roles: of, objectives }) => [
      name,
      [...of],
      [...objectives],
    ]);
    expect(roles).toEqual([
      ['2001:db8::9', ['initiator'], ['EX1']],
      ['fe80::5', ['neighbour'], []],
      ['2001:db8::7', ['responder'], ['EX2']],
    ]);
    expect(m.network.nodeAt('fe80::1')).toBe('n');
    expect([...m.network.remembered.values()]).toMatchObject([
      { kind: 'locator', objective: 'EX2', locator: '[2001:db8::7]:99', expiresAt: 5_100 },
    ]);
  });

  test('calls a neighbour a relay when it passes on what several nodes began, or is a watched node', () => {
    const { model: m, tell } = model('n', 'other');
    m.take({ type: 'sample', node: 'other', sample: { ...sample, status: own } }, 0);
    const from = (peer: string, initiator: string): FeedItem =>
      message('M_FLOOD', 'received', { via: 'multicast', session: 1, initiator, peer, interface: 'eth1' });
    const rolesOf = (name: string): unknown[] => [...(m.network.peers.get(name)?.roles ?? [])];
    tell('n', from('[fe80::5%eth1]:7017', '2001:db8::8'));
    expect(rolesOf('fe80::5')).toEqual(['neighbour']);
    tell('n', from('[fe80::5%eth1]:7017', '2001:db8::9'));
    expect(rolesOf('fe80::5')).toEqual(['relay']);
    // By its other address it is the initiator itself.
    tell('n', from('[fe80::1%eth1]:7017', '2001:db8::1'));
    expect(rolesOf('other')).toEqual(['initiator']);
    tell('n', from('[fe80::1%eth1]:7017', '2001:db8::8'));
    expect(rolesOf('other')).toEqual(['initiator', 'relay']);
  });

  test('follows a flood from node to node, and how long it is remembered', () => {
    const { model: m, tell } = model('a', 'b');
    const flood = {
      via: 'multicast',
      session: 5,
      initiator: '2001:db8::9',
      ttl: 20_000,
      objectives: [objective('Rates', '1.5', 3)],
    } as const;
    tell('a', message('M_FLOOD', 'received', { ...flood, at: 10, interface: 'eth0' }));
    tell('a', message('M_FLOOD', 'sent', { ...flood, at: 11, interface: 'eth1', relayed: true }));
    tell('b', message('M_FLOOD', 'received', { ...flood, at: 12, interface: 'eth1' }));
    tell('b', message('M_FLOOD', 'received', { ...flood, session: 6, ttl: 0, at: 13, interface: 'eth1' }));
    const [first] = m.network.floods.values();
    expect(first?.hops.map(({ node, direction, interface: by }) => [node, direction, by])).toEqual([
      ['a', 'received', 'eth0'],
      ['a', 'sent', 'eth1'],
      ['b', 'received', 'eth1'],
    ]);
    expect([...m.network.remembered.values()].map(({ node, expiresAt }) => [node, expiresAt])).toEqual([
      ['a', 20_010],
      ['b', undefined],
    ]);
  });

  test('is bounded', () => {
    const { model: m, tell } = model('n');
    for (let i = 0; i < PEERS_KEPT + 20; i++) {
      tell(
        'n',
        message('M_FLOOD', 'received', {
          via: 'multicast',
          session: i,
          initiator: `2001:db8::${i}`,
          objectives: [objective(`o${i}`)],
        }),
      );
    }
    expect([m.network.peers.size, m.network.floods.size]).toEqual([PEERS_KEPT, FLOODS_KEPT]);
  });

  test.each([
    ['[fe80::1%eth0]:7017', 'fe80::1'],
    ['[2001:db8::1]:7017', '2001:db8::1'],
    ['192.0.2.1:7017', '192.0.2.1'],
  ])('%s is %s', (peer, address) => expect(addressOf(peer)).toBe(address));
});

describe('the engine', () => {
  const status = (n: number): StatusSample['status'] =>
    emptyStatus({
      counters: { 'multicast.received': n },
      threads: [
        {
          name: 's',
          threadId: 1,
          state: 'running',
          restarts: 0,
          queues: [],
          counters: {},
          actors: [{ machine: 'negotiationSession', state: 'ourTurn', count: n }],
        },
        {
          name: 't',
          threadId: 2,
          state: 'running',
          restarts: 0,
          queues: [],
          counters: {},
          actors: [{ machine: 'negotiationSession', state: 'ourTurn', count: 1 }],
        },
      ],
    });

  test('has rates between statuses; a counter that begins again is no negative rate', () => {
    const history = new EngineHistory();
    for (const [at, n] of [
      [0, 10],
      [2_000, 30],
      [3_000, 5],
    ] as const)
      history.add({ at, status: status(n), share: 1, dropped });
    expect(history.rates((s) => s.counters['multicast.received'] ?? 0)).toEqual([
      { at: 2_000, value: 10 },
      { at: 3_000, value: 0 },
    ]);
  });

  test('counts actors over all threads', () => {
    expect([...census(status(4), 'negotiationSession')]).toEqual([['ourTurn', 5]]);
    expect(census(undefined, 'negotiationSession').size).toBe(0);
  });

  test('names an ASA only when it can be no other', () => {
    const ex3 = {
      name: 'EX3',
      asas: ['Gray', 'Briggs'],
      negotiate: true,
      synchronize: false,
      dryRun: false,
      overlap: true,
    };
    const listening = [{ asa: 'Briggs', thread: 's', port: 1, kind: 'negotiate' as const }];
    const of = emptyStatus({ objectives: [{ ...ex3, listening }] });
    expect([
      asaOf(of, 'EX3', 'responder'),
      asaOf(of, 'EX3', 'initiator'),
      asaOf(of, 'EX4', 'responder'),
    ]).toEqual(['Briggs', undefined, undefined]);
  });
});

describe('texts', () => {
  test.each([
    [0.44, '0.4 ms'],
    [12.4, '12 ms'],
    [999, '999 ms'],
    [1_340, '1.3 s'],
    [59_960, '1 min'],
    [125_000, '2 min 5 s'],
    [11_520_000, '3 h 12 min'],
    [-5, '−5 ms'],
  ])('%d ms is %s', (ms, text) => expect(duration(ms)).toBe(text));
  test.each([
    [1, '100 %'],
    [0.123, '12 %'],
    [0.004, '0.4 %'],
    [0, '0 %'],
  ])('%d is %s', (share, text) => expect(percentage(share)).toBe(text));
  test.each([
    [3, '3'],
    [1_234, '1.2k'],
    [34_400, '34k'],
  ])('%d is short %s', (n, text) => expect(short(n)).toBe(text));
  test('a machine has a title', () => expect(machineTitle('negotiationSession')).toBe('Negotiation session'));
});
