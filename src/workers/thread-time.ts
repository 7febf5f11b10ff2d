/**
 * How long a thread was ready to run and got no processor. A worker that answers nothing for that long is starved by
 * a busy machine, not hung; the supervisor, which hardly works, is scheduled in time and cannot tell by its own ticks.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** The calling thread's number at the operating system; undefined where it does not tell (anything but Linux). */
export function osThread(): number | undefined {
  try {
    const number = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    return Number.isInteger(number) ? number : undefined;
  } catch {
    return undefined;
  }
}

/** ms a thread of this process has run, and has waited for a processor, since it began; undefined: not known. */
export function threadTime(
  thread: number,
): { readonly ranMs: number; readonly waitedMs: number } | undefined {
  let text: string;
  try {
    // proc(5): time spent on the processor and on the run queue in ns, number of time slices.
    text = readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8');
  } catch {
    return undefined;
  }
  const [ran, waited] = text.split(' ').map((each) => Number(each) / 1e6);
  return ran === undefined || waited === undefined ? undefined : { ranMs: ran, waitedMs: waited };
}

/** Reads, from call to call since the last {@link forget}, how much of the time between was spent waiting for a processor. */
export class StarvedTime {
  #waitedMs: number | undefined;

  /** What is waited until the next call will not count. */
  forget(): void {
    this.#waitedMs = undefined;
  }

  /** ms since the last call for the same thread; 0 the first time and where it is not known. */
  since(thread: number | undefined): number {
    const waitedMs = thread === undefined ? undefined : threadTime(thread)?.waitedMs;
    const before = this.#waitedMs;
    this.#waitedMs = waitedMs;
    return waitedMs === undefined || before === undefined ? 0 : waitedMs - before;
  }
}
