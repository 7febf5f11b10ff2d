/** Accepts up to `data` and counter-offers it otherwise; ends when told to. */
import type { AsaContext } from '../../../src/index.js';

export default async function banker({ asa, data, signal }: AsaContext): Promise<string> {
  const most = data as number;
  const ex3 = await asa.registerObjective({ name: 'EX3', negotiate: true });
  await ex3.onNegotiate(async (session) => {
    if ((session.value as number) <= most) return session.endNegotiate({ accept: true });
    const answer = await session.negotiateStep(most);
    if (answer.state === 'offered') await session.endNegotiate({ accept: false, reason: 'not again' });
  });
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  return 'stopped';
}
