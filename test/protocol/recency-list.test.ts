/** The list of the caches, and of what comes and goes at a high rate. */
import { expect, test } from '@jest/globals';
import { Link, RecencyList } from '../../src/protocol/index.js';

const three = (): [RecencyList<string>, Link<string>[]] => {
  const list = new RecencyList<string>();
  const links = ['a', 'b', 'c'].map((value) => new Link(value));
  for (const link of links) list.push(link);
  return [list, links];
};

test.each([
  [0, ['b', 'c']],
  [1, ['a', 'c']],
  [2, ['a', 'b']],
])('link %i of three goes, once, and can come again as the newest', (i, left) => {
  const [list, links] = three();
  expect(list.remove(links[i]!)).toBe(true);
  expect([[...list], list.size]).toEqual([left, 2]);
  expect(list.remove(links[i]!)).toBe(false);
  expect([[...list], list.size]).toEqual([left, 2]);
  list.push(links[i]!);
  expect([...list]).toEqual([...left, links[i]!.value]);
});

test('a link of another list is left there', () => {
  const [list, links] = three();
  expect(new RecencyList<string>().remove(links[1]!)).toBe(false);
  expect([...list]).toEqual(['a', 'b', 'c']);
});

test('the one that is being looked at may go', () => {
  const [list, links] = three();
  const seen: string[] = [];
  for (const value of list) {
    seen.push(value);
    list.remove(links[seen.length - 1]!);
  }
  expect([seen, list.size]).toEqual([['a', 'b', 'c'], 0]);
});
