import { describe, expect, test } from '@jest/globals';
import { runInNewContext } from 'node:vm';
import { ERROR_TEXT, ErrorCode, errorName, GraspError } from '../../src/protocol/index.js';

describe('RFC 8991 Appendix A', () => {
  test('numbers 0 to 38 in the order of the RFC, 39 left out, own codes from 40', () => {
    const codes = Object.values(ErrorCode);
    expect(codes).toEqual([...Array.from({ length: 39 }, (_, i) => i), 40, 41, 42, 43]);
    expect(Object.keys(ERROR_TEXT).map(Number)).toEqual(codes);
    expect(ErrorCode).toMatchObject({
      declined: 1,
      notYourASA: 7,
      noSecurity: 16,
      loopExhausted: 21,
      CBORfail: 24,
    });
    expect(ErrorCode).toMatchObject({ IDclash: 31, invalidLoc: 38, tooBig: 40 });
  });

  test('names', () => {
    expect(errorName(16)).toBe('noSecurity');
    expect(errorName(39)).toBe('error39');
  });
});

describe('GraspError', () => {
  test('name, message, code, detail, cause', () => {
    const cause = new Error('inner');
    const error = new GraspError(ErrorCode.declined, 'too much', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      code: 1,
      name: 'declined',
      message: 'Declined: too much',
      detail: 'too much',
      cause,
    });
    expect(new GraspError(ErrorCode.noSession).message).toBe('No session');
    expect(new GraspError(ErrorCode.noSession, '').message).toBe('No session');
    expect(String(error)).toBe('declined: Declined: too much');
  });

  test('crosses threads and sockets as plain data, causes too', () => {
    const error = new GraspError(ErrorCode.sockErrNegRq, 'fe80::1%eth0', {
      cause: new GraspError(ErrorCode.unspec, 'inner', { cause: new RangeError('deep') }),
    });
    for (const crossed of [
      structuredClone(error.toPlain()),
      JSON.parse(JSON.stringify(error.toPlain())) as unknown,
    ]) {
      const back = GraspError.fromPlain(crossed);
      expect(back).toMatchObject({
        code: 18,
        name: 'sockErrNegRq',
        message: error.message,
        detail: error.detail,
      });
      expect(back.stack).toBe(error.stack);
      expect(back.cause).toMatchObject({ code: 3, detail: 'inner', cause: 'RangeError: deep' });
      expect(back).toBeInstanceOf(GraspError);
    }
  });

  test('anything else becomes code 3 with it as the cause', () => {
    for (const odd of [
      undefined,
      null,
      'text',
      7,
      {},
      { graspError: true },
      { graspError: true, code: 39 },
      { code: 1 },
    ]) {
      expect(GraspError.fromPlain(odd)).toMatchObject({ code: 3, detail: undefined, cause: odd });
    }
    expect(GraspError.fromPlain(new TypeError('x'))).toMatchObject({ code: 3, detail: 'x' });
    const error = new GraspError(ErrorCode.closed);
    expect(GraspError.fromPlain(error)).toBe(error);
    const odd = GraspError.fromPlain({ graspError: true, code: 5, detail: 7, cause: null, stack: 1 });
    expect([odd.code, odd.detail, odd.cause, typeof odd.stack]).toEqual([5, undefined, undefined, 'string']);
    const bare = GraspError.fromPlain({ graspError: true, code: 5 });
    expect([bare.code, bare.detail, bare.cause, bare.message]).toEqual([
      5,
      undefined,
      undefined,
      'Duplicate ASA name',
    ]);
  });

  test('causes in a circle or without a text end', () => {
    const error = new GraspError(ErrorCode.unspec, 'a') as GraspError & { cause?: unknown };
    error.cause = error;
    const text = JSON.stringify(error.toPlain());
    expect(text.match(/"graspError"/g)).toHaveLength(9);
    const textOf = (cause: unknown) => new GraspError(ErrorCode.unspec, 'b', { cause }).toPlain().cause;
    expect(textOf({ errno: -111 })).toBe('{ errno: -111 }');
    expect(textOf(Object.create(null))).toBe('[Object: null prototype] {}');
    expect(textOf('plain')).toBe('plain');
    const silent = Object.defineProperty(new Error(), 'toString', {
      value: () => {
        throw new Error('no');
      },
    });
    expect(textOf(silent)).toBe('unprintable cause');
    const circle: { graspError: true; code: number; cause?: unknown } = { graspError: true, code: 1 };
    circle.cause = circle;
    let depth = 0;
    for (let e: unknown = GraspError.fromPlain(circle); GraspError.is(e); e = e.cause) depth++;
    expect(depth).toBe(9);
  });

  test('is knows errors of another copy or realm, and nothing else', () => {
    expect(GraspError.is(new GraspError(ErrorCode.unspec))).toBe(true);
    const foreign: unknown = runInNewContext(
      'Object.assign(new Error("x"), { [Symbol.for("anima-grasp.GraspError")]: true, code: 3 })',
    );
    expect(GraspError.is(foreign)).toBe(true);
    for (const no of [undefined, null, new Error('x'), { code: 3 }, 'x'])
      expect(GraspError.is(no)).toBe(false);
  });
});
