/** Two engines of the library on a link: every way a negotiation can go, and 300 at once. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { ErrorCode } from '../../src/protocol/index.js';
import { labDescribe } from './describe.js';
import { createLab, type Lab } from './netns.js';
import { only, startAgent, type Line, type Program } from './program.js';

jest.setTimeout(60_000);

const IF = 'l1';

labDescribe('the library in namespaces', () => {
  let lab: Lab;
  let responder: Program;
  let requester: Program;

  beforeAll(async () => {
    lab = await createLab({ nodes: ['a', 'b'], links: { [IF]: ['a', 'b'] } });
    responder = startAgent(lab, 'a', 'library-responder', IF);
    await responder.event('ready');
    requester = startAgent(lab, 'b', 'library-requester', IF);
    await requester.ended;
    responder.endInput();
    await responder.ended;
  });
  afterAll(async () => {
    await lab.close();
  });

  const result = (what: string): Line => {
    const { event: _event, ...rest } = requester.lines.find(
      (l) => l['event'] === 'result' && l['what'] === what,
    )!;
    return rest;
  };

  test('both end by themselves with 0, without a word on stderr, and no thread was restarted', async () => {
    for (const program of [requester, responder]) {
      expect([program.stderr, (await program.ended).code]).toEqual(['', 0]);
    }
    expect(only(responder, 'status')).toMatchObject({ restarts: 0 });
  });

  test('the first answer to a discovery ends it and tells port and interface, also without a global address', () => {
    expect(only(requester, 'found')).toEqual({
      event: 'found',
      port: only(responder, 'ready')['port'],
      interface: IF,
    });
  });

  test('accept, decline with a reason, counter-offer, M_WAIT, dry run', () => {
    expect(result('accept')).toEqual({ what: 'accept', state: 'accepted', value: ['accept', 1] });
    expect(result('decline')).toEqual({ what: 'decline', state: 'declined', reason: 'kāore' });
    expect(result('counter')).toMatchObject({ state: 'accepted here', value: ['counter', 2], dryRun: false });
    expect(result('wait')).toMatchObject({ state: 'accepted here', value: ['wait', 2] });
    expect(result('dry')).toMatchObject({ state: 'accepted here', value: ['dry', 2], dryRun: true });
    expect(responder.lines).toContainEqual({ event: 'ended', what: 'dry', state: 'accepted', dryRun: true });
  });

  test('M_INVALID is noValidStep (28)', () => {
    expect(result('invalid')).toEqual({ what: 'invalid', code: ErrorCode.noValidStep });
  });

  test('a handler that throws, or returns without an end, declines with a stated reason', () => {
    expect(result('throw')).toMatchObject({
      state: 'declined',
      reason: expect.stringContaining('the handler broke'),
    });
    expect(responder.lines).toContainEqual({ event: 'error', error: 'Error: the handler broke' });
    expect(result('return')).toMatchObject({ state: 'declined', reason: expect.stringMatching(/\w/) });
  });

  test('RFC 8990 §2.8.7 two who never stop: 21 for whose turn it is, 23 for the other', () => {
    expect(result('loop')).toEqual({ what: 'loop', code: ErrorCode.loopExhausted });
    expect(responder.lines).toContainEqual({ event: 'ended', what: 'loop', code: ErrorCode.noPeer });
  });

  test('300 sessions at once between the same two ASAs, none mixed up', () => {
    expect(only(requester, 'many')).toEqual({ event: 'many', right: 300 });
  });
});
