/** fast-check generators of every message, and of values. */
import fc from 'fast-check';
import { encodeValue, Simple, Tag, usableInDivert } from '../../src/protocol/index.js';
import type { Message, WireLocator, WireObjective } from '../../src/protocol/index.js';

const uint32 = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 23, 24, 255, 256, 65535, 65536),
);
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.string({ maxLength: 300 }));
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const initiator = fc.oneof(bytesOf(4), bytesOf(16));
const notLinkLocal = initiator.filter(
  (a) => !(a.length === 4 ? a[0] === 169 : a[0] === 0xfe || a[10] === 0xff),
);

/** Any value that survives JavaScript unchanged, keys of any type included. */
export const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom<unknown>(
      null,
      undefined,
      true,
      false,
      0,
      -0,
      -1,
      23,
      24,
      2 ** 32,
      -(2 ** 32),
      -(2 ** 32) - 1,
    ),
    fc.maxSafeInteger(),
    fc.double(),
    fc.float(),
    fc
      .bigInt({ min: -(1n << 80n), max: 1n << 80n })
      .map((n) => (n >= -9007199254740991n && n <= 9007199254740991n ? Number(n) : n)),
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 32, max: 255 }).map((n) => new Simple(n)),
    fc.integer({ min: 0, max: 19 }).map((n) => new Simple(n)),
  ),
  tagged: fc
    .tuple(
      fc.oneof(fc.integer({ min: 0, max: 300 }), fc.bigInt({ min: 1n << 53n, max: (1n << 64n) - 1n })),
      tie('any'),
    )
    // Tags 2 and 3 of bytes are integers, and an outermost 24 is RawCbor.
    .filter(([tag, v]) => !([2, 3, 24] as unknown[]).includes(tag) || !(v instanceof Uint8Array))
    .map(([tag, v]) => new Tag(tag, v)),
  map: fc.array(fc.tuple(tie('leaf'), tie('any')), { maxLength: 30 }).map((entries) => new Map(entries)),
  any: fc.oneof(
    { maxDepth: 5 },
    tie('leaf'),
    fc.array(tie('any'), { maxLength: 30 }),
    tie('map'),
    tie('tagged'),
  ),
})).any;

const locator = (flood: boolean): fc.Arbitrary<WireLocator> => {
  const protocol = flood ? fc.integer({ min: 0, max: 255 }) : fc.constantFrom(6, 17);
  const port: fc.Arbitrary<number | null> = fc.oneof(
    fc.integer({ min: 0, max: 65535 }),
    flood ? fc.constant(null) : fc.constant(7017),
  );
  return fc.oneof(
    fc.record({ type: fc.constant(103 as const), address: bytesOf(16), protocol, port }),
    fc.record({ type: fc.constant(104 as const), address: bytesOf(4), protocol, port }),
    fc.record({ type: fc.constant(105 as const), name: text, protocol, port }),
    fc.record({
      type: fc.constant(106 as const),
      uri: text,
      protocol: fc.oneof(protocol, fc.constant(null)),
      port: fc.oneof(port, fc.constant(null)),
    }),
  );
};

const encoded = value.map((v) => encodeValue(v));
const objective = (flags: fc.Arbitrary<number>, valueNeeded: boolean): fc.Arbitrary<WireObjective> =>
  fc.record({
    name: text,
    flags,
    loopCount: fc.integer({ min: 0, max: 255 }),
    value: valueNeeded ? encoded : fc.option(encoded, { nil: undefined }),
  });
const anyFlags = fc.oneof(fc.integer({ min: 0, max: 15 }), fc.maxSafeInteger().map(Math.abs));
const neg = fc.constantFrom(2, 3, 10, 11, 19);
const synch = fc.constantFrom(4, 5, 21);
const sid = { sessionId: uint32 };

export const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constant(0 as const) }),
  fc.record({ type: fc.constant(1 as const), ...sid, initiator, objective: objective(anyFlags, false) }),
  fc
    .record({
      type: fc.constant(2 as const),
      ...sid,
      initiator,
      ttl: uint32,
      locators: fc.array(locator(false), { minLength: 1, maxLength: 5 }),
      divert: fc.boolean(),
      objective: fc.option(objective(anyFlags, false), { nil: undefined }),
    })
    .map((m) => {
      const usable = m.locators.filter(usableInDivert);
      return m.divert && usable.length > 0
        ? { ...m, locators: [], divert: usable }
        : { ...m, divert: undefined };
    }),
  fc.record({ type: fc.constantFrom(3 as const, 5 as const), ...sid, objective: objective(neg, true) }),
  fc.record({ type: fc.constant(4 as const), ...sid, objective: objective(synch, false) }),
  fc.record({ type: fc.constant(8 as const), ...sid, objective: objective(synch, true) }),
  fc.record({
    type: fc.constant(6 as const),
    ...sid,
    accept: fc.constant(true),
    reason: fc.constant(undefined),
  }),
  fc.record({
    type: fc.constant(6 as const),
    ...sid,
    accept: fc.constant(false),
    reason: fc.option(text, { nil: undefined }),
  }),
  fc.record({ type: fc.constant(7 as const), ...sid, waitingTime: uint32 }),
  fc.record({
    type: fc.constant(9 as const),
    ...sid,
    initiator: notLinkLocal,
    ttl: uint32,
    objectives: fc.array(
      fc.record({
        objective: objective(synch, false),
        locator: fc.option(locator(true), { nil: undefined }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  }),
  fc.record({ type: fc.constant(99 as const), ...sid, info: fc.option(encoded, { nil: undefined }) }),
) as fc.Arbitrary<Message>;
