import { join } from 'node:path';
import { root } from '../tooling/root.js';

/** A file of test/capture/data in the checkout. */
export function dataFile(name: string): string {
  return join(root, 'test/capture/data', name);
}
