/** `grasp flood NAME VALUE`: sends a value through the whole network (RFC 8990 §2.5.6.2), once or repeatedly. */
import { toFloodLocator } from '../api.js';
import { GRASP_DEF_TIMEOUT, GraspError, MAX_UINT32 } from '../../protocol/index.js';
import { pause, withAsa, type CommandContext } from '../command.js';
import { Exit, usageError } from '../exit.js';
import { toMicroseconds } from '../output.js';
import { inForm, type FormedValue } from '../values.js';

export interface FloodOptions {
  /** How long receivers keep it, ms, 0: for ever; absent: 60000, or 3.5 times `--every`. */
  readonly ttl?: number | undefined;
  /** Seconds from one flood to the next; absent: one flood. */
  readonly every?: number | undefined;
  /** The tag: an address, name or URI. */
  readonly locator?: string | undefined;
  /** How many hops it may go; absent: 6 (GRASP_DEF_LOOPCT). */
  readonly loopCount?: number | undefined;
}

/** Infrastructure floods live 3 to 3.5 times as long as their period (RFC 8994 §6.4, RFC 8995 §4.1.1). */
const TTL_PER_PERIOD = 3.5;

/** RFC 8085 §3.1.3: a sender without feedback sends one datagram in 3 s at most. */
const LEAST_PERIOD_S = 3;

export async function flood(
  context: CommandContext,
  name: string,
  value: FormedValue,
  options: FloodOptions,
): Promise<Exit> {
  const { output, signal, clock } = context;
  const { every, locator, loopCount } = options;
  checkLocator(locator);
  const ttlMs =
    options.ttl ??
    (every === undefined
      ? GRASP_DEF_TIMEOUT
      : Math.min(MAX_UINT32, Math.max(GRASP_DEF_TIMEOUT, Math.round(every * 1000 * TTL_PER_PERIOD))));
  if (every !== undefined && every < LEAST_PERIOD_S) {
    output.warn(`grasp: more often than every ${LEAST_PERIOD_S} s is for tests only (RFC 8085 3.1.3)`);
  }
  return withAsa(context, 'flood', async (asa) => {
    const objective = await asa.registerObjective({
      name,
      synchronize: true,
      overlap: true,
      value: inForm(value.bytes, value.form),
      ...(loopCount === undefined ? {} : { loopCount }),
    });
    for (;;) {
      const at = toMicroseconds(clock.now());
      await asa.flood([{ objective, locator }], { ttlMs, signal });
      output.event({ event: 'sent', name, value: objective.value, ttl: ttlMs, at });
      if (every === undefined) return Exit.done;
      await pause(clock, every * 1000, signal);
      // The way to end it.
      if (signal.aborted) return Exit.done;
    }
  });
}

function checkLocator(locator: string | undefined): void {
  if (locator === undefined) return;
  try {
    toFloodLocator(locator);
  } catch (error) {
    if (!GraspError.is(error)) throw error;
    throw usageError(
      `--locator ${error.detail ?? error.message}`,
      'write [2001:db8::1]:4000, 192.0.2.1:4000, host.example.com:4000 (TCP, or with /udp), [::]:4000 or a URI',
    );
  }
}
