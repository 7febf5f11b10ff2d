/** `grasp offer NAME VALUE`: answers negotiation requests (RFC 8990 §2.5.5, responder's side). */
import type { Grasp, NegotiationSession, Objective } from '../api.js';
import { interrupted, withAsa, type CommandContext } from '../command.js';
import { converse } from '../converse.js';
import { Exit, exitForCode } from '../exit.js';
import { peerText, type Outcome } from '../output.js';
import { readyEvent } from '../ready.js';
import { decideOffer, type Decision } from '../strategy.js';
import type { FormedValue } from '../values.js';

export interface OfferOptions {
  /** Serve one session and end. */
  readonly once?: boolean | undefined;
  /** Serve dry-run requests too; without it they are declined. */
  readonly dryRun?: boolean | undefined;
  /** How long to wait for each answer, ms; absent: 60000 (GRASP_DEF_TIMEOUT). */
  readonly timeout?: number | undefined;
}

export async function offer(
  context: CommandContext,
  name: string,
  value: FormedValue,
  options: OfferOptions,
): Promise<Exit> {
  return withAsa(
    context,
    'offer',
    async (asa, grasp) => {
      const server = new OfferServer(context, value, options);
      const objective = await asa.registerObjective({
        name,
        negotiate: true,
        overlap: true,
        dryRun: options.dryRun === true,
      });
      return server.serve(grasp, objective);
    },
    'lasting',
  );
}

class OfferServer {
  #sessions = 0;
  readonly #running = new Set<Promise<Outcome>>();

  constructor(
    readonly context: CommandContext,
    readonly value: FormedValue,
    readonly options: OfferOptions,
  ) {}

  /** Until SIGINT or SIGTERM, or until the one session of `--once` is over: any number of sessions at once. */
  async serve(grasp: Grasp, objective: Objective): Promise<Exit> {
    const { signal, output } = this.context;
    const once = this.options.once === true;
    const begun = deferred();
    const stopped = deferred();
    const listening = await objective.onNegotiate(
      async (session) => {
        begun.resolve();
        const outcome = this.#converse(session);
        this.#running.add(outcome);
        await outcome;
        // One at a time, and the turn is kept until nobody else can be let in.
        if (once) await stopped.promise;
        else this.#running.delete(outcome);
      },
      once ? { concurrency: 1 } : {},
    );
    output.event(await readyEvent(grasp, { objective: objective.name, port: listening.port }));
    await Promise.race(once ? [interrupted(signal), begun.promise] : [interrupted(signal)]);
    await listening.stop();
    stopped.resolve();
    // Sessions under way decline by themselves when the signal aborts; their end lines come first.
    const [outcome] = await Promise.all(this.#running);
    if (!once) return Exit.done;
    return outcome === undefined ? Exit.noAgreement : exitForCode(outcome.code);
  }

  async #converse(session: NegotiationSession): Promise<Outcome> {
    const { output, signal } = this.context;
    const tag = { session: ++this.#sessions, peer: peerText(session.remote) };
    const { dryRun } = session;
    const outcome = await converse({
      session,
      output,
      tag,
      timeoutMs: this.options.timeout,
      signal,
      decide: (received, loopCount, history): Decision =>
        dryRun && this.options.dryRun !== true
          ? { kind: 'decline', reason: 'no dry run here' }
          : decideOffer(this.value.value, received, loopCount, history),
    });
    output.event({ event: 'end', tag, dryRun, ...outcome });
    return outcome;
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
