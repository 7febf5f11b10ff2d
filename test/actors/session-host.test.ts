import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { decode } from 'cborg';
import { Rig } from './session-rig.js';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.close());

describe('two engines', () => {
  test('§2.5.5 request, steps with falling loop counts, acceptance; nothing is left behind', async () => {
    const briggs = await rig.engine('briggs');
    const gray = await rig.engine('gray');
    const { target } = await briggs.client.listen();
    const { session, answer } = gray.client.request(target, { value: ['NZD', 410] });
    const incoming = await briggs.client.nextIncoming();
    expect(incoming).toMatchObject({ objective: { name: 'EX3', flags: 3, loopCount: 6 } });
    expect(decode(incoming.value)).toEqual(['NZD', 410]);

    const reply = briggs.client.step(incoming.session, ['NZD', 80]);
    const first = await rig.run(answer);
    expect(first).toMatchObject({ state: 'offered', loopCount: 5, sessionId: incoming.sessionId });

    const second = gray.client.step(session, ['NZD', 307]);
    expect(await rig.run(reply)).toMatchObject({ state: 'offered', loopCount: 4 });
    expect(await rig.run(briggs.client.end(incoming.session, true))).toBeUndefined();
    expect(await rig.run(second)).toMatchObject({ state: 'accepted' });

    await rig.clock.advance(5_000);
    expect(gray.states()).toEqual({});
    expect(briggs.states()).toEqual({ listening: 1 });
    expect(gray.queue('sessions')).toBe(0);
    expect(gray.queue('closing streams')).toBe(0);
    expect(briggs.queue('closing streams')).toBe(0);
  });
});
