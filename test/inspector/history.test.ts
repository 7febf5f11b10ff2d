import { describe, expect, test } from '@jest/globals';
import { History } from '../../src/inspector/history.js';
import { DEFAULT_INSPECTOR_LIMITS } from '../../src/inspector/limits.js';
import { actor, emptyStatus, message, step } from './fake-engine.js';

const limits = {
  ...DEFAULT_INSPECTOR_LIMITS,
  historyActors: 2,
  historyItemsPerActor: 20,
  historyMulticasts: 3,
  historySamples: 2,
};

describe('the history of a node', () => {
  test('is told in the order of time, whatever it belongs to', () => {
    const history = new History(limits);
    history.add(actor('a', 'idle', { at: 1 }));
    history.add(message('M_FLOOD', 'received', { at: 2, via: 'multicast' }));
    history.add(actor('b', 'idle', { at: 3 }));
    history.add(step('a', 'request', 'connecting', { at: 4 }));
    expect(history.items.map(({ at }) => at)).toEqual([1, 2, 3, 4]);
    expect(history.forgotten).toBe(0);
  });

  test('keeps a session whole: beyond the limit the one that ended longest ago goes, then the oldest', () => {
    const history = new History(limits);
    history.add(actor('old', 'idle', { at: 1 }));
    history.add(actor('ended', 'idle', { at: 2 }));
    history.add(step('ended', 'end', 'ended', { at: 3, status: 'done' }));
    history.add(actor('third', 'idle', { at: 4 }));
    const ids = (): (string | undefined)[] =>
      history.items.map((item) => ('sessionId' in item ? item.sessionId : undefined));
    expect(ids()).toEqual(['old', 'third']);
    expect(history.forgotten).toBe(2);
    history.add(actor('fourth', 'idle', { at: 5 }));
    expect(ids()).toEqual(['third', 'fourth']);
  });

  test('keeps what a session says after its machine is gone with it', () => {
    const history = new History(limits);
    history.add(actor('a', 'idle', { at: 1 }));
    history.add(step('a', 'end', 'ended', { at: 2, status: 'done' }));
    history.add(message('M_END', 'sent', { at: 3, actor: 'a' }));
    history.add(actor('b', 'idle', { at: 4 }));
    expect(history.items).toHaveLength(4);
    history.add(actor('c', 'idle', { at: 5 }));
    expect(history.items.map(({ at }) => at)).toEqual([4, 5]);
  });

  test('keeps the beginning and the end of an actor that does very much', () => {
    const history = new History(limits);
    history.add(actor('handler', 'handling', { at: 0 }));
    for (let at = 1; at <= 100; at++) history.add(step('handler', 'message.flood', 'handling', { at }));
    const times = history.items.map(({ at }) => at);
    expect(times).toHaveLength(20);
    expect(times[0]).toBe(0);
    expect(times.at(-1)).toBe(100);
    expect(history.forgotten).toBe(81);
  });

  test('bounds multicasts and statuses', () => {
    const history = new History(limits);
    for (let at = 1; at <= 5; at++) {
      history.add(message('M_FLOOD', 'received', { at, via: 'multicast' }));
      history.addSample({ at, status: emptyStatus(), share: 1, dropped: { unsampled: 0, rate: 0, slow: 0 } });
    }
    expect(history.items.map(({ at }) => at)).toEqual([3, 4, 5]);
    expect(history.samples.map(({ at }) => at)).toEqual([4, 5]);
  });
});
