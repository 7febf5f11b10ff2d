/** The options of a benchmark: declared once, parsed and explained alike everywhere. */
import { parseArgs } from 'node:util';

/** What an option is by its default: a whole number from 1, one of several words, or a switch. */
export type Declared = number | readonly [string, ...string[]] | false;

export type Parsed<T extends Readonly<Record<string, Declared>>> = {
  readonly [K in keyof T]: T[K] extends number ? number : T[K] extends false ? boolean : string;
};

/** A wrong option: exit code 2. */
export class UsageError extends Error {}

/** Of every benchmark. */
export const common = { repeats: 3, json: false } as const;

/** One line for the terminal. */
export function usage(name: string, declared: Readonly<Record<string, Declared>>): string {
  const texts = Object.entries(declared).map(([option, value]) => {
    if (value === false) return `[--${option}]`;
    return `[--${option} ${typeof value === 'number' ? 'N' : value.join('|')}]`;
  });
  return `usage: npm run bench -- ${name} ${texts.join(' ')}`;
}

/** The first of several words is the default. Throws {@link UsageError}. */
export function parse<const T extends Readonly<Record<string, Declared>>>(
  args: readonly string[],
  declared: T,
): Parsed<T> {
  const options = Object.fromEntries(
    Object.entries<Declared>(declared).map(([name, value]) => [
      name,
      { type: value === false ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const parsed = Object.entries<Declared>(declared).map(([name, value]) => [
    name,
    toValue(name, values[name], value),
  ]);
  return Object.fromEntries(parsed) as Parsed<T>;
}

function toValue(name: string, given: unknown, declared: Declared): number | string | boolean {
  if (declared === false) return given === true;
  if (typeof declared === 'number') {
    const value = given === undefined ? declared : Number(given);
    // 0 can only be a default: it says that the option is off.
    if (!Number.isSafeInteger(value) || (given !== undefined && value < 1)) {
      throw new UsageError(`--${name} must be a whole number from 1`);
    }
    return value;
  }
  if (given === undefined) return declared[0];
  const known = declared.find((word) => word === given);
  if (known === undefined) throw new UsageError(`--${name} must be one of ${declared.join(', ')}`);
  return known;
}
