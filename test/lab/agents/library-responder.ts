/** An ASA on the library that does what a request's first element says. `IF` as argument; ends with its stdin. */
import { Grasp, GraspError } from '../../../src/index.js';

const [interfaceName] = process.argv.slice(2) as [string];
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const grasp = await Grasp.start({
  substrate: { kind: 'plain', interfaces: [interfaceName], insecure: true },
});
const asa = await grasp.registerAsa('library-responder');
const ex3 = await asa.registerObjective({ name: 'EX3', negotiate: true, dryRun: true });
const listening = await ex3.onNegotiate(
  async (session) => {
    const [what, number] = session.value as [string, number];
    switch (what) {
      case 'accept':
        return session.endNegotiate({ accept: true });
      case 'decline':
        return session.endNegotiate({ accept: false, reason: 'kāore' });
      case 'invalid':
        return session.sendInvalid('what?');
      case 'throw':
        throw new Error('the handler broke');
      case 'wait':
        await session.negotiateWait(30_000);
        break;
      case 'return':
        return undefined;
    }
    try {
      for (;;) {
        const reply = await session.negotiateStep([what, number + 1]);
        if (reply.state === 'offered') continue;
        say({ event: 'ended', what, state: reply.state, dryRun: session.dryRun });
        return undefined;
      }
    } catch (error) {
      say({ event: 'ended', what, code: GraspError.is(error) ? error.code : String(error) });
      return undefined;
    }
  },
  // As many as come at once: beyond these and limits.requestQueue, 128, requests would be closed.
  { concurrency: 300, onError: (error) => say({ event: 'error', error: String(error) }) },
);
say({ event: 'ready', port: listening.port });
await new Promise((resolve) => process.stdin.once('end', resolve).resume());
const { threads, counters } = await grasp.status();
say({ event: 'status', restarts: threads.reduce((sum, thread) => sum + thread.restarts, 0), counters });
await grasp.close();
