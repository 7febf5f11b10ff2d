import { describe, expect, test } from '@jest/globals';
import {
  decodeMessage,
  DEF_DECODE_LIMITS,
  REFUSAL_REASONS,
  type DecodeLimits,
  type MessageContext,
  type RefusalReason,
} from '../../src/protocol/index.js';
import { hex, toHex, V6 } from './helpers.js';

const CONTEXTS: readonly MessageContext[] = ['multicast', 'response', 'rapid', 'session'];
const LL = 'fe80000000000000c0011001feef0000';
/** [103, 2001:db8::…, 6, 49443] */
const LOC = '84186750' + '20010db8f000baaaf000baaaf000baaa' + '0619c123';
const OBJ = '84634558310506f6';
const NEG = '84634558330306f6';
const resp = (count: number, rest: string) =>
  `8${(count + 4).toString(16)}0205` + `50${V6}` + '19ea60' + rest;
const flood = (pairs: string[], initiator = V6) =>
  `8${(pairs.length + 4).toString(16)}0905` + `50${initiator}` + '19ea60' + pairs.join('');

type Case = readonly [
  RefusalReason,
  kind: string,
  context: MessageContext,
  hex: string,
  limits?: Partial<DecodeLimits>,
];

/** At least one input for each reason; the session ID, where there is one, is 5. */
const CASES: readonly Case[] = [
  ['cbor.empty', 'malformed', 'multicast', ''],
  ['cbor.truncated', 'malformed', 'session', '8307'],
  ['cbor.trailing-bytes', 'malformed', 'multicast', '810000'],
  ['cbor.reserved', 'malformed', 'multicast', '811c'],
  ['cbor.break', 'malformed', 'multicast', '81ff'],
  ['cbor.chunk', 'malformed', 'multicast', '815f00ff'],
  ['cbor.simple', 'malformed', 'multicast', '8200f800'],
  ['cbor.utf8', 'malformed', 'multicast', '820061ff'],
  ['limit.bytes', 'malformed', 'session', '83070519ffff', { maxBytes: 5 }],
  ['limit.depth', 'malformed', 'session', '82188081818100', { maxDepth: 3 }],
  ['limit.items', 'malformed', 'session', '8400010203', { maxItems: 4 }],
  ['limit.elements', 'unusable', 'session', '840705008118c8', { maxElements: 3 }],
  [
    'limit.elements',
    'unusable',
    'response',
    resp(1, `861864${LOC}${LOC}${LOC}${LOC}${LOC}`),
    { maxElements: 5 },
  ],
  ['message.not-array', 'unusable', 'multicast', '00'],
  ['message.not-array', 'unusable', 'multicast', 'd9d9f78100'],
  ['message.not-array', 'unusable', 'multicast', '428100'],
  ['message.empty', 'unusable', 'multicast', '80'],
  ['message.empty', 'unusable', 'multicast', '9fff'],
  ['message.type', 'unusable', 'session', '82613105'],
  ['message.type', 'unusable', 'session', '8219010005'],
  ['message.type', 'unusable', 'session', '822005'],
  ['message.type', 'unusable', 'session', '82c2410005'],
  ['message.unknown-type', 'unknown', 'session', '820a05'],
  ['message.unknown-type', 'unknown', 'multicast', '82186205'],
  ['message.unknown-type', 'unknown', 'multicast', '82186605'],
  ['message.unknown-type', 'unknown', 'session', '8218ff05'],
  ['message.misplaced', 'misplaced', 'multicast', `830305${NEG}`],
  ['message.arity', 'unusable', 'multicast', '8101'],
  ['message.arity', 'unusable', 'multicast', `830105${OBJ}`],
  ['message.arity', 'unusable', 'response', `84020550${V6}00`],
  ['message.arity', 'unusable', 'session', '820305'],
  ['message.arity', 'unusable', 'session', '820605'],
  ['message.arity', 'unusable', 'session', '820705'],
  ['message.arity', 'unusable', 'multicast', `84090550${V6}00`],
  ['message.arity', 'unusable', 'session', '811863'],
  ['message.arity', 'unusable', 'session', '841863050102'],
  ['message.session-id', 'unusable', 'session', `8303 20 ${NEG}`],
  ['message.session-id', 'unusable', 'session', `8303 1b0000000100000000 ${NEG}`],
  ['message.session-id', 'unusable', 'session', `8303 f94500 ${NEG}`],
  ['message.initiator', 'unusable', 'multicast', `8401054f${V6.slice(2)}${OBJ}`],
  ['message.initiator', 'unusable', 'response', `850205f600${LOC}`],
  ['message.initiator', 'unusable', 'multicast', `850905 60 00 82${OBJ}80`],
  ['message.ttl', 'unusable', 'response', `85020550${V6}20${LOC}`],
  ['message.ttl', 'unusable', 'multicast', `85090550${V6}f682${OBJ}80`],
  ['message.waiting-time', 'unusable', 'session', '83070520'],
  ['message.waiting-time', 'unusable', 'session', '8307051b0000000100000000'],
  ['message.surplus', 'unusable', 'session', `840305${NEG}${NEG}`],
  ['message.surplus', 'unusable', 'session', '8407051903e81865'],
  ['message.surplus', 'unusable', 'session', '8407050080'],
  ['message.surplus', 'unusable', 'session', '840705009800'],
  ['message.surplus', 'unusable', 'session', '84070500 9fff'],
  ['message.surplus', 'unusable', 'session', '84060581186500'],
  ['message.surplus', 'unusable', 'response', resp(2, `${LOC}00`)],
  ['objective.shape', 'unusable', 'session', '83030563455833'],
  ['objective.shape', 'unusable', 'session', '8303058263455833 03'],
  ['objective.shape', 'unusable', 'session', '83030585634558330306f6f6'],
  ['objective.name', 'unusable', 'session', '83030584434558330306f6'],
  ['objective.flags', 'unusable', 'session', '83030584634558332006f6'],
  ['objective.flags', 'unusable', 'session', '8303058463455833 1b0020000000000000 06f6'],
  ['objective.loop-count', 'unusable', 'session', '83030584634558330319 0100f6'],
  ['objective.no-value', 'unusable', 'session', '83030583634558330306'],
  ['objective.no-value', 'unusable', 'session', '83080583634558320506'],
  ['objective.not-negotiation', 'unusable', 'session', `830505${OBJ}`],
  ['objective.not-negotiation', 'unusable', 'session', '83030584634558330706f6'],
  ['objective.not-synchronization', 'unusable', 'session', `830405${NEG}`],
  ['objective.not-synchronization', 'unusable', 'session', '830805 84634558330106f6'],
  ['objective.not-synchronization', 'unusable', 'session', '830805 84634558330706f6'],
  ['locator.shape', 'unusable', 'response', resp(1, `83186750${V6}06`)],
  ['locator.shape', 'unusable', 'response', resp(1, '821864 00')],
  ['locator.address', 'unusable', 'response', resp(1, '84186744c000020a0601')],
  ['locator.address', 'unusable', 'response', resp(1, `84186850${V6}0601`)],
  ['locator.address', 'unusable', 'response', resp(1, '841867633a3a310601')],
  ['locator.name', 'unusable', 'response', resp(1, '84186941680601')],
  ['locator.name', 'unusable', 'response', resp(1, '84186af60601')],
  ['locator.protocol', 'unusable', 'response', resp(1, `84186750${V6}182901`)],
  ['locator.protocol', 'unusable', 'response', resp(1, `84186750${V6}f601`)],
  ['locator.protocol', 'unusable', 'multicast', flood([`82${OBJ}84186750${V6}f601`])],
  ['locator.protocol', 'unusable', 'multicast', flood([`82${OBJ}84186750${V6}19010001`])],
  ['locator.port', 'unusable', 'response', resp(1, `84186750${V6}06f6`)],
  ['locator.port', 'unusable', 'response', resp(1, '8418696168061a00010000')],
  ['locator.port', 'unusable', 'multicast', flood([`82${OBJ}84186750${V6}0620`])],
  ['response.no-locator', 'unusable', 'response', resp(1, OBJ)],
  ['response.no-locator', 'unusable', 'response', resp(1, '82186b01')],
  ['response.order', 'unusable', 'response', resp(2, `${LOC}821864${LOC}`)],
  ['response.order', 'unusable', 'response', resp(2, `821864${LOC}${LOC}`)],
  ['response.order', 'unusable', 'response', resp(2, `821864${LOC}821864${LOC}`)],
  ['response.order', 'unusable', 'response', resp(2, `${OBJ}${LOC}`)],
  ['response.order', 'unusable', 'response', resp(3, `${LOC}${OBJ}${OBJ}`)],
  ['divert.empty', 'unusable', 'response', resp(1, '811864')],
  ['divert.empty', 'unusable', 'response', resp(1, `821864 821864 ${LOC}`)],
  ['divert.unusable', 'unusable', 'response', resp(1, `821864 84186750${LL}0601`)],
  ['divert.unusable', 'unusable', 'response', resp(1, '821864 841869 67782e6c6f63616c 0601')],
  ['end.no-option', 'unusable', 'session', '8306051865'],
  ['end.no-option', 'unusable', 'session', '83060580'],
  ['end.no-option', 'unusable', 'session', '83060581186b'],
  ['end.contradiction', 'unusable', 'session', '840605811865811866'],
  ['end.option', 'unusable', 'session', '8306058218656178'],
  ['end.option', 'unusable', 'session', '83060582186605'],
  ['flood.pair', 'unusable', 'multicast', flood([`81${OBJ}`])],
  ['flood.pair', 'unusable', 'multicast', flood(['00'])],
  ['flood.pair', 'unusable', 'multicast', flood(['82186b01'])],
  ['flood.locator', 'unusable', 'multicast', flood([`82${OBJ}f6`])],
  ['flood.locator', 'unusable', 'multicast', flood([`82${OBJ}82186b6178`])],
  ['flood.link-local-loop-count', 'unusable', 'multicast', flood([`82${OBJ}80`], LL)],
  ['flood.not-synchronization', 'unusable', 'multicast', flood([`82${NEG}80`])],
];

describe('STYLE every refusal has a name', () => {
  test('and each name is produced', () => {
    const produced = new Set(CASES.map(([reason]) => reason));
    expect(REFUSAL_REASONS.filter((reason) => !produced.has(reason))).toEqual([]);
    expect(new Set(REFUSAL_REASONS).size).toBe(REFUSAL_REASONS.length);
  });

  test.each(CASES.map((c) => [c[0], c[2], c[3].slice(0, 60), c] as const))(
    '%s in %s: %s',
    (_r, _c, _h, testCase) => {
      const [reason, kind, context, text, limits] = testCase;
      const result = decodeMessage(hex(text), context, { ...DEF_DECODE_LIMITS, ...limits });
      expect(result).toMatchObject({ ok: false, reason, kind });
      if (result.ok) return;
      const noId =
        kind === 'malformed' || ['message.not-array', 'message.empty', 'message.session-id'].includes(reason);
      // [99] and [1] have no second element to copy.
      const single = text === '811863' || text === '8101';
      expect(result.sessionId).toBe(noId || single ? undefined : 5);
      const noType =
        kind === 'malformed' || ['message.not-array', 'message.empty', 'message.type'].includes(reason);
      expect(result.messageType === undefined).toBe(noType);
    },
  );
});

describe('§2.8.2 what belongs where', () => {
  const messages: Record<string, string> = {
    noop: '8100',
    discovery: `84010550${V6}${OBJ}`,
    response: resp(1, LOC),
    'request negotiation': `830305${NEG}`,
    'request synchronization': `830405${OBJ}`,
    negotiate: `830505${NEG}`,
    end: '830605811865',
    wait: '8307051903e8',
    synch: `830805${OBJ}`,
    flood: flood([`82${OBJ}80`]),
    invalid: '82186305',
  };
  const home: Record<string, readonly MessageContext[]> = {
    noop: CONTEXTS,
    discovery: ['multicast'],
    response: ['response', 'rapid'],
    'request negotiation': ['session'],
    'request synchronization': ['session'],
    negotiate: ['rapid', 'session'],
    end: ['rapid', 'session'],
    wait: ['rapid', 'session'],
    synch: ['rapid', 'session'],
    flood: ['multicast'],
    invalid: ['response', 'rapid', 'session'],
  };
  test.each(Object.keys(messages))('%s', (name) => {
    const bytes = hex(messages[name]!);
    const places = CONTEXTS.filter((context) => decodeMessage(bytes, context).ok);
    expect(places).toEqual(home[name]);
    for (const context of CONTEXTS.filter((c) => !places.includes(c))) {
      expect(decodeMessage(bytes, context)).toMatchObject({ ok: false, kind: 'misplaced', sessionId: 5 });
    }
  });
});

describe('options that do not belong are skipped and counted', () => {
  test.each([
    ['G-2.8.2-02 M_RESPONSE with O_ACCEPT beside a locator', 'response', resp(2, `${LOC}811865`)],
    ['G-2.9.4-02 M_RESPONSE with O_DECLINE beside a locator', 'response', resp(2, `82186661 78${LOC}`)],
    ['G-2.9.2-02 M_END accept with a divert', 'session', `840605811865821864${LOC}`],
    ['§2.9.5 M_END with a locator in front', 'session', `840605${LOC}811866`],
    ['§2.9.2 M_NEGOTIATE with a divert', 'session', `840505${NEG}821864${LOC}`],
    ['§2.8.9 M_WAIT with O_ACCEPT', 'session', '840705 00 811865'],
    ['§2.8.2 M_DISCOVERY with an unknown option', 'multicast', `85010550${V6}${OBJ}82186b01`],
    ['§2.8.2 an unknown option of a number beyond 255', 'session', '840705 00 811903e8'],
    ['§2.8.2 an option of indefinite length', 'session', '840705 00 9f186bff'],
    ['§2.8.11 M_FLOOD with an unknown option', 'multicast', flood([`82${OBJ}80`, '81186b'])],
    ['§2.10.3 M_FLOOD with a negotiation objective', 'multicast', flood([`82${NEG}80`, `82${OBJ}80`])],
    ['§2.9.5.1 a divert with one link-local locator', 'response', resp(1, `831864${LOC}84186750${LL}0601`)],
    ['§2.9.2 a divert with an unknown option', 'response', resp(1, `831864${LOC}81186b`)],
  ] as const)('%s', (_name, context, text) => {
    const result = decodeMessage(hex(text), context);
    expect(result).toMatchObject({ ok: true, droppedOptions: 1 });
  });

  test('§2.9.5.1 what is left of such a divert is the usable locator', () => {
    const result = decodeMessage(hex(resp(1, `831864 84186750${LL}0601 ${LOC}`)), 'response');
    if (!result.ok || result.message.type !== 2) throw new Error('refused');
    expect(result.message.divert).toHaveLength(1);
    expect(result.message.divert![0]).toMatchObject({ port: 49443 });
  });
});

test('§2.8.3 maxElements: as many as the limit are taken, in a message and in a divert', () => {
  const limits = { ...DEF_DECODE_LIMITS, maxElements: 6 };
  const wait = (options: number) => hex(`8${options + 3}070500${'81186b'.repeat(options)}`);
  expect(decodeMessage(wait(3), 'session', limits)).toMatchObject({ ok: true, droppedOptions: 3 });
  expect(decodeMessage(wait(4), 'session', limits)).toMatchObject({ reason: 'limit.elements' });
  const divert = (locators: number) => hex(resp(1, `8${locators + 1}1864${LOC.repeat(locators)}`));
  expect(decodeMessage(divert(5), 'response', limits)).toMatchObject({ ok: true });
  expect(decodeMessage(divert(6), 'response', limits)).toMatchObject({ reason: 'limit.elements' });
});

describe('§3 every encoding is read', () => {
  test('indefinite lengths and chunks in every part', () => {
    const locator = '9f 1867 5f 48 20010db8f000baaa 48 f000baaaf000baaa ff 1806 1a0000c123 ff';
    const result = decodeMessage(
      hex(
        `9f 02 1800 5f 42c000 40 42020a ff 1b000000000000ea60 9f1864 ${locator} ff 9f 7f6145625831ff 05 06 9f01bf0203ffff ff ff`,
      ),
      'response',
    );
    if (!result.ok || result.message.type !== 2) throw new Error(JSON.stringify(result));
    const { message } = result;
    expect(toHex(message.initiator)).toBe('c000020a');
    expect(message).toMatchObject({ sessionId: 0, ttl: 60000, locators: [] });
    expect(message.divert![0]).toMatchObject({ type: 103, protocol: 6, port: 49443 });
    expect(message.objective).toMatchObject({ name: 'EX1', flags: 5, loopCount: 6 });
    expect(toHex(message.objective!.value!)).toBe('9f01bf0203ffff');
  });

  test('§2.9.5 an indefinite flood locator, tag and decline', () => {
    expect(
      decodeMessage(hex(flood([`9f${OBJ}9f186a60f6f6ffff`, `82${OBJ}9fff`])), 'multicast'),
    ).toMatchObject({
      ok: true,
      message: {
        objectives: [{ locator: { type: 106, uri: '', protocol: null, port: null } }, { locator: undefined }],
      },
    });
    expect(decodeMessage(hex('9f06059f18667f616eff ff ff'), 'session')).toMatchObject({
      message: { type: 6, accept: false, reason: 'n' },
    });
  });

  test('a value of any nesting within the limit is left as it is', () => {
    for (const value of [
      '9f9f9f80ffffff',
      'bf019f02ffff',
      '82a201820203c1c1048105f6',
      '5f4101ff',
      '7f6161ff',
      'fb3ff199999999999a',
    ]) {
      const result = decodeMessage(hex(`8305058463455833 03 05 ${value}`), 'session');
      if (!result.ok || result.message.type !== 5) throw new Error(JSON.stringify(result));
      expect(toHex(result.message.objective.value!)).toBe(value);
    }
  });

  test('a name longer than the fast path, ASCII or not', () => {
    for (const name of ['x'.repeat(25), 'é'.repeat(20), `${'x'.repeat(23)}é`, '\ufeffBOM']) {
      const utf8 = new TextEncoder().encode(name);
      const result = decodeMessage(
        hex(`830505 84 78${utf8.length.toString(16).padStart(2, '0')} ${toHex(utf8)} 03 05 f6`),
        'session',
      );
      expect(result).toMatchObject({ ok: true, message: { objective: { name } } });
    }
  });

  test('§2.10.2 undefined flag bits are kept', () => {
    expect(decodeMessage(hex('830505 84634558331b001ffffffffffff3 05 f6'), 'session')).toMatchObject({
      message: { objective: { flags: 2 ** 53 - 13 } },
    });
  });

  test('the message shares memory with the bytes', () => {
    const bytes = hex(`830505${NEG}`);
    const result = decodeMessage(bytes, 'session');
    if (!result.ok || result.message.type !== 5) throw new Error('refused');
    expect(result.message.objective.value!.buffer).toBe(bytes.buffer);
  });
});
