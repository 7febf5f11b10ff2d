import { describe, expect, test } from '@jest/globals';
import { DEFAULT_SEED, planConversations } from '../../src/cli/commands/demo.js';
import { Dice } from '../../src/cli/demo/prng.js';
import { rehearse } from './rehearsal.js';

const play = (seed: number, grays = 1) =>
  planConversations(seed, grays).map((c) => rehearse(seed, c.gray, c.plan));

describe('the story of a seed', () => {
  test('the default seed tells an acceptance, a decline with a reason, a wait and a loop exhaustion', () => {
    const stories = play(DEFAULT_SEED);
    expect(stories.map((story) => story.outcome)).toEqual(['accepted', 'declined', 'accepted', 'exhausted']);
    expect(stories[1]?.reason).toMatch(/\w/);
    expect(stories.reduce((waits, story) => waits + story.waits, 0)).toBeGreaterThan(0);
    // Each is a bargain, not just a yes or a no.
    for (const { said } of stories) expect(said.length).toBeGreaterThan(2);
  });

  test('the same seed tells the same story, another seed another', () => {
    expect(play(7, 10)).toEqual(play(7, 10));
    const stories = Array.from({ length: 50 }, (_, seed) => JSON.stringify(play(seed)));
    expect(new Set(stories).size).toBe(50);
  });

  test('every Gray of a run asks for another sum, by which Briggs knows it', () => {
    for (const grays of [1, 10, 100]) {
      const sums = planConversations(3, grays).map((c) => c.plan.want[1]);
      expect(new Set(sums).size).toBe(sums.length);
    }
  });

  test('all kinds of endings occur, and none takes more messages than the loop count allows', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      for (const conversation of planConversations(seed, 1)) {
        const { outcome, said } = rehearse(seed, conversation.gray, conversation.plan);
        seen.add(outcome);
        expect(said.length).toBeLessThanOrEqual(conversation.plan.loopCount);
      }
    }
    expect([...seen].sort()).toEqual(['accepted', 'declined', 'exhausted']);
  });
});

test('dice are even enough and within their bounds', () => {
  const dice = new Dice(5);
  const counts = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 6000; i++) counts[dice.between(0, 5)]!++;
  for (const count of counts) expect(count).toBeGreaterThan(850);
  expect(counts.reduce((a, b) => a + b)).toBe(6000);
  expect(new Dice(1, 2).between(0, 1e9)).not.toBe(new Dice(2, 1).between(0, 1e9));
});
