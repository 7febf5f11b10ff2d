/** tprint, ttprint and the boxed transcript of init_bubble_text: what an ASA says for people to read. */
import { inspect } from 'node:util';
import { session_handle } from './classes.js';

/** Columns of a transcript whose terminal does not say how wide it is. */
const DEFAULT_COLUMNS = 80;
const MIN_COLUMNS = 20;
/** Characters of one statement in a box. */
const MAX_BUBBLE = 1000;

export class Transcript {
  /** ASA that speaks; stands before each line. */
  speaker = 'graspi';
  /** In test mode `ttprint` speaks too, and bytes are shown in hex. */
  testing = false;
  silent = false;
  #caption: string | undefined;
  readonly #write: () => (text: string) => void;

  constructor(write: () => (text: string) => void) {
    this.#write = write;
  }

  /** Prints what an ASA says, like `print` of the prototype: texts as they are, values as they look. */
  print(items: readonly unknown[]): void {
    if (this.silent) return;
    const text = items.map((item) => this.#show(item)).join(' ');
    if (this.#caption === undefined) this.#line(`${this.speaker}: ${text}`);
    else this.#bubble(text);
  }

  testPrint(items: readonly unknown[]): void {
    if (this.testing) this.print(items);
  }

  /** From now on everything is printed in boxes under this caption. */
  begin(caption: string): void {
    this.#caption = harmless(caption);
    const width = columns();
    this.#line(`╔${'═'.repeat(width - 2)}╗`);
    for (const line of wrap(this.#caption, width - 4)) this.#line(`║ ${pad(line, width - 4)} ║`);
    this.#line(`╚${'═'.repeat(width - 2)}╝`);
  }

  #bubble(text: string): void {
    const shown = text.length > MAX_BUBBLE ? `${text.slice(0, MAX_BUBBLE)} …` : text;
    const lines = wrap(shown, columns() - 4);
    const width = Math.max(...lines.map((line) => [...line].length));
    this.#line(`╭${'─'.repeat(width + 2)}╮`);
    for (const line of lines) this.#line(`│ ${pad(line, width)} │`);
    this.#line(`╰${'─'.repeat(width + 2)}╯`);
  }

  #show(item: unknown): string {
    if (typeof item === 'string') return harmless(item);
    if (item instanceof Uint8Array && this.testing) return Buffer.from(item).toString('hex');
    if (item instanceof session_handle) return harmless(item.toString());
    return harmless(inspect(item, { breakLength: Infinity, depth: 6, maxArrayLength: 100 }));
  }

  #line(text: string): void {
    this.#write()(`${text}\n`);
  }
}

/** Text from a peer must not speak to the terminal: control and formatting characters are shown by number. */
export function harmless(text: string): string {
  return text.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0)!;
    return `\\u{${code.toString(16)}}`;
  });
}

function columns(): number {
  return Math.max(MIN_COLUMNS, Math.min(process.stdout.columns || DEFAULT_COLUMNS, DEFAULT_COLUMNS));
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - [...text].length));
}

/** Lines of at most `width` characters, broken at blanks where there are some. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let rest = [...paragraph];
    while (rest.length > width) {
      const blank = rest.lastIndexOf(' ', width);
      const end = blank > 0 ? blank : width;
      lines.push(rest.slice(0, end).join(''));
      rest = rest.slice(blank > 0 ? end + 1 : end);
    }
    lines.push(rest.join(''));
  }
  return lines;
}
