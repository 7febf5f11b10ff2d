/**
 * `grasp demo` (`npm start`): Briggs and Gray of the older GRASP documents negotiate EX3 over a simulated link. Two
 * engines with their worker threads, in one process; everything printed comes from the public API, and the same seed
 * prints the same bytes: no times, ports or ids.
 *
 * Watched (`--inspect`) they go on until interrupted, slowly, and there is an office besides, on a second link of the
 * bank's: what it floods is relayed.
 */
import { Grasp, SimulatedNetwork, type AsaLocator, type EngineStatus, type InspectorServer } from '../api.js';
import { isInterruption, pause, type CommandContext } from '../command.js';
import { Briggs, Gray, type Pace } from '../demo/asas.js';
import { planGray } from '../demo/characters.js';
import { Conversation, Narrator } from '../demo/conversation.js';
import { floodRates } from '../demo/office.js';
import { Dice } from '../demo/prng.js';
import { CliError, Exit, describeFailure } from '../exit.js';
import { inspectEngine } from '../inspection.js';

export interface DemoOptions {
  readonly seed?: number | undefined;
  /** Absent or 1: one Gray negotiates several times; more: each once, all at the same time. */
  readonly grays?: number | undefined;
}

/** Shows an acceptance, a decline with a reason, a wait and a loop exhaustion. */
export const DEFAULT_SEED = 17_544;
/** Negotiations of a single Gray. */
const ROUNDS = 4;
const LINK = 'street';
/** Watched: the bank's other link, on which the office is. */
const OFFICE_LINK = 'square';
/** Watched: how long each side thinks before it answers, ms. */
const PACE_MS = 1_500;
const OBJECTIVE = 'EX3';

export async function demo(context: CommandContext, options: DemoOptions): Promise<Exit> {
  const stage = new Stage(context, options);
  try {
    await stage.open();
    await stage.play();
    return Exit.done;
  } catch (error) {
    // Watched, it ends no other way.
    if (isInterruption(error, context.signal)) {
      return context.inspect === undefined ? Exit.noAgreement : Exit.done;
    }
    context.output.failure(error);
    return describeFailure(error).exit;
  } finally {
    await stage.close();
  }
}

/** The conversations of a seed; each Gray asks for another sum. */
export function planConversations(seed: number, grays: number): Conversation[] {
  const taken = new Set<number>();
  const count = grays === 1 ? ROUNDS : grays;
  return Array.from({ length: count }, (_, i) => {
    const name = grays === 1 ? 'Gray' : `Gray-${i + 1}`;
    return new Conversation(i + 1, name, planGray(new Dice(seed, 0x64a1, i), taken));
  });
}

class Stage {
  readonly #seed: number;
  readonly #grayCount: number;
  readonly #network: SimulatedNetwork;
  readonly #narrator: Narrator;
  readonly #interruption: Promise<never>;
  readonly #pace: Pace | undefined;
  #inspector: InspectorServer | undefined;
  #office: Grasp | undefined;
  #bank: Grasp | undefined;
  #street: Grasp | undefined;

  constructor(
    readonly context: CommandContext,
    options: DemoOptions,
  ) {
    this.#seed = options.seed ?? DEFAULT_SEED;
    this.#grayCount = options.grays ?? 1;
    this.#network = new SimulatedNetwork({ seed: this.#seed });
    this.#narrator = new Narrator(context.output);
    this.#interruption = new Promise((_resolve, reject) => {
      const { signal } = context;
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    // Nobody may be waiting for it.
    this.#interruption.catch(() => undefined);
    const { inspect, signal } = context;
    if (inspect !== undefined) this.#pace = () => pause(this.#network.clock, PACE_MS, signal);
  }

  async open(): Promise<void> {
    const { inspect, output } = this.context;
    const start = (name: string, links: string[]): Promise<Grasp> =>
      Grasp.start({
        substrate: { kind: 'simulated', node: this.#network.addNode(name, { links }) },
        sessionWorkers: 1,
      });
    if (inspect === undefined) {
      [this.#bank, this.#street] = await Promise.all([start('bank', [LINK]), start('client', [LINK])]);
      return;
    }
    [this.#bank, this.#street, this.#office] = await Promise.all([
      start('bank', [LINK, OFFICE_LINK]),
      start('client', [LINK]),
      start('office', [OFFICE_LINK]),
    ]);
    const nodes = { bank: this.#bank, client: this.#street, office: this.#office };
    this.#inspector = await inspectEngine(output, nodes, inspect);
  }

  async close(): Promise<void> {
    await this.#inspector?.close();
    await Promise.all([this.#bank?.close(), this.#street?.close(), this.#office?.close()]);
    this.#network.close();
  }

  async play(): Promise<void> {
    const [bank, street] = [this.#bank!, this.#street!];
    const conversations = planConversations(this.#seed, this.#grayCount);
    const briggs = new Briggs(this.#network.clock, this.#seed, this.#grayCount, this.#pace);
    const names = this.#grayCount === 1 ? 'Gray the client' : `${this.#grayCount} Grays, all clients,`;
    this.context.output.line(
      { event: 'demo', objective: OBJECTIVE, seed: this.#seed, grays: this.#grayCount },
      `Briggs the banker and ${names} negotiate ${OBJECTIVE} over a simulated link (seed ${this.#seed}).`,
    );
    await this.#openBank(bank, briggs);
    const grays = await this.#gatherGrays(street);
    if (this.#office !== undefined) await this.#goOn(this.#office, briggs, grays);
    await this.#converse(briggs, grays, conversations);
    await this.#summary(bank, street, briggs.mostAtOnce);
  }

  /** Until interrupted, which it rejects with; each round is the story of another seed. */
  async #goOn(office: Grasp, briggs: Briggs, grays: readonly Gray[]): Promise<never> {
    const { clock } = this.#network;
    const rates = floodRates(office, this.#seed, clock, this.context.signal).then(() => this.#interruption);
    const rounds = async (): Promise<never> => {
      for (let round = 0; ; round++) {
        await this.#converse(briggs, grays, planConversations(this.#seed + round, this.#grayCount));
      }
    };
    return Promise.race([rounds(), rates]);
  }

  #converse(briggs: Briggs, grays: readonly Gray[], conversations: readonly Conversation[]): Promise<void> {
    return this.#grayCount === 1
      ? this.#oneAfterTheOther(briggs, grays[0]!, conversations)
      : this.#allAtOnce(briggs, grays, conversations);
  }

  async #openBank(engine: Grasp, briggs: Briggs): Promise<void> {
    const asa = await engine.registerAsa(Briggs.NAME);
    const ex3 = await asa.registerObjective({ name: OBJECTIVE, negotiate: true });
    await ex3.onNegotiate((session) => briggs.serve(session));
  }

  /** Registers the Grays; the first one looks for a bank and tells the others. */
  async #gatherGrays(engine: Grasp): Promise<Gray[]> {
    const names =
      this.#grayCount === 1 ? ['Gray'] : Array.from({ length: this.#grayCount }, (_, i) => `Gray-${i + 1}`);
    const asas = await Promise.all(names.map((name) => engine.registerAsa(name)));
    const bank = await firstLocator(asas[0]!.discover(OBJECTIVE, { signal: this.context.signal }));
    this.context.output.line(
      {
        event: 'locator',
        asa: names[0],
        objective: OBJECTIVE,
        address: bank.address,
        interface: bank.interface,
      },
      `${names[0]} discovers ${OBJECTIVE} at ${bank.address}.`,
    );
    return Promise.all(
      asas.map(async (asa) => {
        const ex3 = await asa.registerObjective({ name: OBJECTIVE, negotiate: true, overlap: true });
        return new Gray(asa, ex3, bank, this.#pace);
      }),
    );
  }

  async #oneAfterTheOther(briggs: Briggs, gray: Gray, conversations: readonly Conversation[]): Promise<void> {
    for (const conversation of conversations) {
      this.context.signal.throwIfAborted();
      briggs.expect(conversation);
      this.#narrator.introduce(conversation);
      conversation.onEntry = (entry) => this.#narrator.entry(conversation, entry);
      await this.#hold(gray, conversation);
      this.#narrator.end(conversation);
    }
  }

  /** Everybody talks at the same time; what was said is printed one conversation after the other. */
  async #allAtOnce(
    briggs: Briggs,
    grays: readonly Gray[],
    conversations: readonly Conversation[],
  ): Promise<void> {
    for (const conversation of conversations) briggs.expect(conversation);
    await Promise.all(conversations.map((conversation, i) => this.#hold(grays[i]!, conversation)));
    for (const conversation of conversations) {
      this.#narrator.introduce(conversation);
      for (const entry of conversation.entries) this.#narrator.entry(conversation, entry);
      this.#narrator.end(conversation);
    }
  }

  /** One conversation to the end of both its sides. Rejects when it is interrupted or never reaches Briggs. */
  async #hold(gray: Gray, conversation: Conversation): Promise<void> {
    await Promise.race([gray.negotiate(conversation), this.#interruption]);
    if (!conversation.involves(Briggs.NAME)) {
      const why = conversation.endings[0]?.reason ?? 'nobody knows why';
      throw new CliError(
        Exit.engine,
        `the request of ${conversation.gray} did not reach ${Briggs.NAME}: ${why}`,
      );
    }
    await Promise.race([conversation.finished, this.#interruption]);
  }

  async #summary(bank: Grasp, street: Grasp, atOnce: number): Promise<void> {
    const threads = ['main', ...(await threadNames('bank', bank)), ...(await threadNames('client', street))];
    const counters = this.#network.counters()[LINK]!;
    const { datagrams, streams, streamMessages } = counters;
    const said = datagrams + streamMessages;
    this.context.output.line(
      {
        event: 'summary',
        clientsAtOnce: atOnce,
        links: [{ name: LINK, messages: said, datagrams, streams, streamMessages }],
        threads,
      },
      `\n${atOnce > 1 ? `Briggs served ${atOnce} clients at once. ` : ''}Messages on link ${LINK}: ${said} (${datagrams} multicast, ${streamMessages} in ${streams} streams). ` +
        `Threads: ${threads.length} (${threads.join(', ')}).`,
    );
  }
}

async function threadNames(engine: string, grasp: Grasp): Promise<string[]> {
  const { threads }: EngineStatus = await grasp.status();
  // Thread 0 is this one, in which the supervisor of each engine lives too.
  return threads.filter((thread) => thread.threadId !== 0).map((thread) => `${engine} ${thread.name}`);
}

async function firstLocator(discovery: AsyncIterable<AsaLocator>): Promise<AsaLocator> {
  for await (const locator of discovery) return locator;
  throw new CliError(Exit.noAgreement, `nobody answered for ${OBJECTIVE}`);
}
