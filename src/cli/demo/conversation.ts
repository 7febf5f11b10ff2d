/** What is said in one negotiation of the demo, as both sides' API calls tell it, and how it is printed. */
import { ErrorCode } from '../../protocol/index.js';
import { Shown, valueJson } from '../json-line.js';
import type { Outcome, Output } from '../output.js';
import type { GrayPlan } from './characters.js';

export type Entry =
  | {
      readonly kind: 'step';
      readonly asa: string;
      readonly direction: 'sent' | 'received';
      readonly value: unknown;
      readonly loopCount: number;
    }
  /** M_WAIT sent: the other side's timer restarts with `waitMs` (RFC 8990 §2.8.9). */
  | { readonly kind: 'wait'; readonly asa: string; readonly waitMs: number };

/** How one side ended. */
export interface Ending extends Outcome {
  readonly asa: string;
  /** This side ended it: it accepted, declined, or could not go on. */
  readonly acted: boolean;
}

/** One negotiation between one Gray and Briggs. */
export class Conversation {
  readonly entries: Entry[] = [];
  readonly #endings: Ending[] = [];
  #finish: () => void = () => undefined;
  /** Resolves when both sides know the outcome. */
  readonly finished = new Promise<void>((resolve) => (this.#finish = resolve));
  /** Called for each entry as it is said. */
  onEntry: ((entry: Entry) => void) | undefined;

  constructor(
    readonly number: number,
    readonly gray: string,
    readonly plan: GrayPlan,
  ) {}

  say(entry: Entry): void {
    this.entries.push(entry);
    this.onEntry?.(entry);
  }

  /** Whether this ASA has said or heard anything here. */
  involves(asa: string): boolean {
    return this.entries.some((entry) => entry.asa === asa);
  }

  end(ending: Ending): void {
    this.#endings.push(ending);
    if (this.#endings.length === 2) this.#finish();
  }

  /** Who ended it first, whichever of the two was heard first. */
  get endings(): readonly Ending[] {
    return [...this.#endings].sort((a, b) => Number(b.acted) - Number(a.acted));
  }
}

const NAME_WIDTH = 8;

/** Prints conversations, as text or JSON lines. */
export class Narrator {
  constructor(readonly output: Output) {}

  introduce(c: Conversation): void {
    const { want, least, stubborn, loopCount } = c.plan;
    this.output.line(
      {
        event: 'negotiation',
        negotiation: c.number,
        asa: c.gray,
        want: new Shown(want),
        least,
        stubborn,
        loopCount,
      },
      `\n${c.number}. ${c.gray} wants ${money(want)}, ${least} at least, ${stubborn ? 'and is stubborn' : 'and knows when to stop'}.`,
    );
  }

  entry(c: Conversation, entry: Entry): void {
    if (entry.kind === 'wait') {
      this.output.line(
        { event: 'wait', negotiation: c.number, asa: entry.asa, waitMs: entry.waitMs },
        spoken(entry.asa, `asks for time, up to ${entry.waitMs / 1000} s`),
      );
      return;
    }
    const { asa, direction, value, loopCount } = entry;
    const fields = {
      event: 'step',
      negotiation: c.number,
      asa,
      direction,
      loopCount,
      value: new Shown(value),
    };
    // For people each message is told once, by the one who says it.
    if (this.output.options.json) this.output.line(fields, '');
    else if (direction === 'sent') {
      const verb = asa === c.gray ? 'asks for' : 'offers';
      this.output.line(
        fields,
        spoken(asa, `${`${verb} ${money(value)}`.padEnd(24)}(loop count ${loopCount})`),
      );
    }
  }

  /** The end of both sides, and what came of it. */
  end(c: Conversation): void {
    const [first, second] = c.endings;
    for (const ending of c.endings) {
      const { asa, outcome, reason, code } = ending;
      const value = outcome === 'accepted' ? new Shown(ending.value) : null;
      const fields = { event: 'end', negotiation: c.number, asa, outcome, value, reason, code };
      if (this.output.options.json) this.output.line(fields, '');
    }
    if (first === undefined || second === undefined || this.output.options.json) return;
    for (const ending of [first, second]) {
      const line = endingText(ending);
      if (line !== undefined) this.output.line({}, spoken(ending.asa, line));
    }
    this.output.line({}, `   ${outcomeText(first)}`);
  }
}

function endingText(ending: Ending): string | undefined {
  const { outcome, acted, reason, code } = ending;
  if (outcome === 'accepted') return acted ? `accepts ${money(ending.value)}` : undefined;
  if (outcome === 'declined') return acted ? `declines: "${reason ?? ''}"` : undefined;
  return `${acted ? 'cannot go on' : 'hears no more'}: ${reason ?? ''} (code ${code})`;
}

function outcomeText(ending: Ending): string {
  if (ending.outcome === 'accepted') return `=> agreed on ${money(ending.value)}`;
  if (ending.outcome === 'declined') return '=> no agreement';
  return ending.code === ErrorCode.loopExhausted ? '=> the loop count is used up' : '=> failed';
}

function spoken(asa: string, words: string): string {
  return `   ${asa.padEnd(NAME_WIDTH)} ${words}`;
}

/** `NZD 300` for `["NZD",300]`; anything else as JSON. */
function money(value: unknown): string {
  if (Array.isArray(value) && value.length === 2) return `${String(value[0])} ${String(value[1])}`;
  return valueJson(value);
}
