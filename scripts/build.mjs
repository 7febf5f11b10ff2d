/** `npm run build`: compiles what changed and removes outputs whose source is gone. Expects an installed tree. */
import { build, root, withLock } from './lib/setup.mjs';

try {
  await withLock(root, () => build(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
