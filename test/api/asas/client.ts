/** Asks for `data`, takes what is offered, and returns it. */
import type { AsaContext } from '../../../src/index.js';

export default async function client({ asa, data }: AsaContext): Promise<unknown> {
  const ex3 = await asa.registerObjective({ name: 'EX3', negotiate: true });
  const result = await asa.requestNegotiate(ex3, data);
  if (result.state === 'offered') await result.session.endNegotiate({ accept: true });
  return result.state === 'declined' ? result.reason : result.value;
}
