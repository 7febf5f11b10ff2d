/** `npm start`: from a fresh clone to the demo, whose arguments follow `--` (`npm start -- --grays 10`). */
import { join } from 'node:path';
import { become, product, root, setUp } from './lib/setup.mjs';

await setUp('build', product);
const args = process.argv.slice(2);
become([join(root, 'dist/package/cli/main.js'), 'demo', ...args], {
  done: () => {
    const watched = args.some((arg) => arg.startsWith('--inspect'));
    if (!watched) process.stderr.write('\nTo watch it in a browser: npm start -- --inspect\n');
  },
});
