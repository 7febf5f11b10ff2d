/**
 * Optional parameters as ASAs written for the prototype give them: by position, or by keyword as properties of a
 * plain object in the last place: `register_obj(handle, obj, { overlap: true })`.
 */
import { ErrorCode, GraspError } from '../../protocol/index.js';

export type keyword_arguments = Readonly<Record<string, unknown>>;

/** True for `{ … }` as literals make it; not for arrays, bytes and instances of classes. */
export function isKeywords(value: unknown): value is keyword_arguments {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * Sorts arguments into the named parameters. Throws 3 for a keyword that does not exist or an argument too many:
 * a mistyped option must not be ignored.
 */
export function named<K extends string>(
  args: readonly unknown[],
  names: readonly K[],
): Partial<Record<K, unknown>> {
  const result: Partial<Record<K, unknown>> = {};
  args.forEach((arg, position) => {
    if (isKeywords(arg)) {
      if (position !== args.length - 1) throw misuse('keywords come last');
      for (const [name, value] of Object.entries(arg)) {
        if (!(names as readonly string[]).includes(name)) throw misuse(`there is no parameter ${name}`);
        if (name in result) throw misuse(`${name} is given twice`);
        result[name as K] = value;
      }
      return;
    }
    const name = names[position];
    if (name === undefined) throw misuse('too many arguments');
    if (arg !== undefined) result[name] = arg;
  });
  return result;
}

export function misuse(detail: string): GraspError {
  return new GraspError(ErrorCode.unspec, detail);
}

/** A flag parameter: absent, null and false are false. */
export function flag(value: unknown, name: string): boolean {
  if (value === undefined || value === null || typeof value === 'boolean') return value ?? false;
  throw misuse(`${name} is true or false`);
}

/** A time: null and absent are undefined; what a number may be is the engine's to say. */
export function time(value: unknown, name: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number') return value;
  throw misuse(`${name} is a number of milliseconds`);
}
