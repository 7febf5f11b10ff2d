/** Registers, then fails in the way `data` says. */
import type { AsaContext } from '../../../src/index.js';

export default async function failing({ asa, data }: AsaContext): Promise<void> {
  const ex3 = await asa.registerObjective({ name: 'EX3', negotiate: true });
  await ex3.onNegotiate(() => undefined);
  switch (data) {
    case 'throw':
      throw new RangeError('out of range');
    case 'exit':
      process.exit(3);
      break;
    default:
      for (;;);
  }
}
