/** Waiting for something to be seen, with a bound: the only way the suite waits. */

/** ms of the system's monotonic clock, the same in every process of the suite. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** How much longer than stated everything that must happen may take: 1 on a machine that does nothing else. */
let patience = 1;

export function setPatience(factor: number): void {
  patience = factor;
}

/** A bound for something that must happen, or a tolerance, on this machine. */
export function patient(ms: number): number {
  return ms * patience;
}

/** Tells those who wait that something has changed. */
export class Notice {
  readonly #waiting = new Set<() => void>();

  changed(): void {
    for (const check of [...this.#waiting]) check();
  }

  /** What `look` finds, as soon as it finds something; undefined if that takes more than `ms` ({@link patient}). */
  until<T>(look: () => T | undefined, ms: number): Promise<T | undefined> {
    return this.during(look, patient(ms));
  }

  /** The same for exactly `ms`: what must not happen. A throw of `look` rejects. */
  during<T>(look: () => T | undefined, ms: number): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const finish = (found: T | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(found);
      };
      const check = (): void => {
        try {
          const found = look();
          if (found !== undefined) finish(found);
        } catch (error) {
          clearTimeout(timer);
          this.#waiting.delete(check);
          reject(error as Error);
        }
      };
      const timer = setTimeout(() => finish(undefined), ms);
      this.#waiting.add(check);
      check();
    });
  }
}

/** What was seen during a row, for the report of a failure. */
export class Journal {
  readonly #began = now();
  readonly #lines: string[] = [];

  note(text: string, at = now()): void {
    const [line = ''] = text.split('\n');
    const shown = line.length > 1000 ? `${line.slice(0, 1000)}…` : line;
    this.#lines.push(`${((at - this.#began) / 1000).toFixed(3)} ${shown}`);
  }

  /** The last lines. */
  tail(count = 12): string[] {
    return this.#lines.slice(-count);
  }
}
