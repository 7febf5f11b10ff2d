/** Negotiations that are all under way at once between two engines, as many as one session worker takes. */
import { Grasp, SimulatedClock, SimulatedNetwork, type Asa, type NegotiateResult } from 'anima-grasp';
import { bytesInUse, round, timed } from './scale-meter.js';

export interface SessionsResult {
  /** At once; each is one session in either engine. */
  readonly sessions: number;
  /** As the engines themselves counted them while all were under way. */
  readonly aliveAtResponder: number;
  readonly aliveAtInitiator: number;
  /** Ended by O_ACCEPT, at both ends. */
  readonly accepted: number;
  /** Memory of one session at one end, with what the API holds for it, in this process. */
  readonly bytesPerSession: number;
  readonly openMs: number;
  readonly endMs: number;
}

/** Requests made at once: a listener has 511 places for connections that it has not taken yet. */
const AT_ONCE = 250;

export async function measureSessions(sessions: number): Promise<SessionsResult> {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ seed: 1, clock });
  const start = async (name: string): Promise<{ grasp: Grasp; asa: Asa }> => {
    const node = network.addNode(name, { links: ['link'] });
    const substrate = { kind: 'simulated', node } as const;
    const grasp = await clock.until(Grasp.start({ substrate, placement: 'inline', clock }));
    return { grasp, asa: await clock.until(grasp.registerAsa(name)) };
  };
  const [briggs, gray] = [await start('Briggs'), await start('Gray')];
  const options = { name: 'EX3', negotiate: true };

  let accepted = 0;
  const offered = await clock.until(briggs.asa.registerObjective(options));
  const listening = await clock.until(
    offered.onNegotiate(
      async (session) => {
        const result = await session.negotiateStep(['NZD', 80]);
        if (result.state === 'accepted') accepted++;
      },
      { concurrency: sessions },
    ),
  );
  const [address] = network.node('Briggs').environment.interfaces[0]!.addresses;
  const peer = { address: address!, port: listening.port };
  const wanted = await clock.until(gray.asa.registerObjective(options));

  const before = await bytesInUse();
  const opening = await timed(async () => {
    const open: NegotiateResult[] = [];
    while (open.length < sessions) {
      const requests = Array.from({ length: Math.min(AT_ONCE, sessions - open.length) }, () =>
        gray.asa.requestNegotiate(wanted, ['NZD', 300], { peer }),
      );
      open.push(...(await clock.until(Promise.all(requests))));
    }
    return open;
  });
  const after = await bytesInUse();
  const [aliveAtResponder, aliveAtInitiator] = [
    await alive(clock, briggs.grasp),
    await alive(clock, gray.grasp),
  ];
  const ending = await timed(async () => {
    for (const result of opening.result) {
      if (result.state === 'offered') await clock.until(result.session.endNegotiate({ accept: true }));
    }
    await clock.settle();
  });
  for (const { grasp } of [gray, briggs]) await clock.until(grasp.close());
  network.close();
  return {
    sessions,
    aliveAtResponder,
    aliveAtInitiator,
    accepted,
    bytesPerSession: round((after - before) / sessions / 2),
    openMs: round(opening.wallMs),
    endMs: round(ending.wallMs),
  };
}

/** Negotiation sessions of an engine that are under way. */
async function alive(clock: SimulatedClock, grasp: Grasp): Promise<number> {
  const { threads } = await clock.until(grasp.status());
  const actors = threads.flatMap((thread) => thread.actors);
  return actors
    .filter(({ machine }) => machine === 'negotiationSession')
    .reduce((sum, { count }) => sum + count, 0);
}
