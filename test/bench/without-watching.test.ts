import { expect, test } from '@jest/globals';
import { withoutWatching } from '../../bench/support/without-watching.js';

test('every call of a watcher is cut out, with what is made for it, and nothing else', () => {
  const code = [
    `owner.counters.watcher?.sessionMade(this);`,
    `if (decoded.ok) counters.watcher?.passed(received('a) (', f(1), { x: (2) }));`,
    `world.counters.watcher?.actorMade(actor); actor.start();`,
    `this.watcher?.sent(message, bytes);`,
    `this.watcher = undefined; keep(this.#watcher);`,
  ].join('\n');
  expect(withoutWatching(code)).toEqual({
    cut: 4,
    code: [
      `void 0;`,
      `if (decoded.ok) void 0;`,
      `void 0; actor.start();`,
      `void 0;`,
      `this.watcher = undefined; keep(this.#watcher);`,
    ].join('\n'),
  });
  expect(() => withoutWatching(`counters.watcher?.counted(name`)).toThrow('has no end');
});
