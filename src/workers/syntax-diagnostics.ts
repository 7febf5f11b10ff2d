/** Message syntax diagnostics (`syntaxDiagnostics`): a process warning for every kind of message that was refused. */
import { REFUSAL_REASONS } from '../protocol/index.js';
import { Counters, type Clock } from '../runtime/index.js';

/** ms between two warnings of the same kind: a storm of nonsense must not become a storm of warnings. */
const QUIET_MS = 1_000;

/** Counters that tell of what they count, where that is a message refused for its form. */
export class TellingCounters extends Counters {
  readonly #host: string;
  readonly #clock: Clock;
  /** When the next warning of a kind is due, and how many there were since the last. */
  readonly #kinds = new Map<string, { quietUntil: number; untold: number }>();

  constructor(host: string, clock: Clock) {
    super();
    this.#host = host;
    this.#clock = clock;
  }

  override add(name: string, n = 1): void {
    super.add(name, n);
    if (!REFUSAL_REASONS.some((reason) => name === reason || name.endsWith(`.${reason}`))) return;
    const now = this.#clock.now();
    const kind = this.#kinds.get(name) ?? { quietUntil: now, untold: 0 };
    this.#kinds.set(name, kind);
    kind.untold += n;
    if (now < kind.quietUntil) return;
    process.emitWarning(`${this.#host}: message refused: ${name} (${kind.untold})`, 'GraspSyntaxWarning');
    kind.untold = 0;
    kind.quietUntil = now + QUIET_MS;
  }
}
