/** What becomes of a call whose session, or whose caller, ends while the answer is on its way. */
import { describe, expect, test } from '@jest/globals';
import { unlessAborted } from '../../src/api/answering.js';
import { Polls, type Operation } from '../../src/api/graspi/forms.js';
import { AsaRecord, type State } from '../../src/api/graspi/state.js';
import type { Asa } from '../../src/api/asa.js';
import { NegotiationSession } from '../../src/api/session.js';
import {
  SessionError,
  type SessionSink,
  type SessionsLine,
  type Waiting,
} from '../../src/api/sessions-line.js';
import { encodeValue } from '../../src/protocol/index.js';
import { SimulatedClock } from '../../src/runtime/index.js';
import type { Failure, SessionCall } from '../../src/workers/engine-control.js';

/** A line that says what it was asked, and answers when it is told to. */
class Line {
  readonly asked: SessionCall[] = [];
  waiting: Waiting | undefined;
  sink: SessionSink | undefined;
  #call = 0;

  nextCall = (): number => ++this.#call;
  ask = (event: SessionCall, waiting: Waiting): void => {
    this.asked.push(event);
    this.waiting = waiting;
  };
  call = (event: SessionCall): Promise<undefined> => {
    this.asked.push(event);
    return Promise.resolve(undefined);
  };
  track = (_: number, sink: SessionSink): void => void (this.sink = sink);
  forget = (): void => void (this.sink = undefined);

  get line(): SessionsLine {
    return this as unknown as SessionsLine;
  }
}

function opened(): { line: Line; session: NegotiationSession } {
  const line = new Line();
  const session = new NegotiationSession({
    line: line.line,
    key: 1,
    role: 'initiator',
    head: { name: 'EX3', flags: 3, loopCount: 6 },
    sessionId: 7,
    remote: { address: 'fd00::1', port: 1 },
    value: encodeValue(1),
    loopCount: 6,
  });
  return { line, session };
}

describe('a signal that aborts', () => {
  const reason = new Error('enough');

  test('while an offer is on its way: the call rejects with its reason, and the session is over', async () => {
    const { line, session } = opened();
    const controller = new AbortController();
    const step = session.negotiateStep(2, { signal: controller.signal });
    controller.abort(reason);
    expect(line.asked).toMatchObject([{ t: 'step' }, { t: 'end', accept: false, reason: 'aborted' }]);
    line.waiting!.resolve({
      state: 'offered',
      value: encodeValue(3),
      loopCount: 4,
      sessionId: 7,
      remote: { address: 'fd00::1', port: 1 },
    });
    await expect(step).rejects.toBe(reason);
    expect(session.ended).toBe(true);
    expect(session.signal.aborted).toBe(true);
    expect(line.sink).toBeUndefined();
  });

  test('while an agreement is on its way: there is one', async () => {
    const controller = new AbortController();
    const accepted = { state: 'accepted', value: 1 } as const;
    const answer = new Promise<typeof accepted>((resolve) => setImmediate(resolve, accepted));
    const call = unlessAborted(new Line().line, 1, answer, controller.signal);
    controller.abort(reason);
    expect(await call).toBe(accepted);
  });
});

describe('api.md §5 a call that crosses the end of its session is told how it ended', () => {
  const cases: [string, Failure, unknown][] = [
    ['a decline', { code: 1, reason: 'too much' }, { state: 'declined', reason: 'too much' }],
    ['a lost connection', { code: 20 }, { code: 22 }],
    ['what the peer did', { code: 25 }, { code: 25 }],
  ];
  test.each(cases)('a step and %s', async (_, failure, told) => {
    const { line, session } = opened();
    const step = session.negotiateStep(2).catch((error: unknown) => error);
    line.sink!.endedUnnoticed(failure);
    line.waiting!.reject(new SessionError({ code: 19 }));
    expect(await step).toMatchObject(told as object);
    // Told once.
    await expect(session.negotiateStep(3)).rejects.toMatchObject({ code: 19 });
  });

  test('an end and a decline; a wait and a lost connection', async () => {
    const [one, other] = [opened(), opened()];
    const end = one.session.endNegotiate({ accept: true }).catch((error: unknown) => error);
    one.line.sink!.endedUnnoticed({ code: 1, reason: 'no' });
    one.line.waiting!.reject(new SessionError({ code: 19 }));
    expect(await end).toMatchObject({ code: 1, reason: 'no' });
    const wait = other.session.negotiateWait().catch((error: unknown) => error);
    other.line.sink!.endedUnnoticed({ code: 20 });
    other.line.waiting!.reject(new SessionError({ code: 19 }));
    expect(await wait).toMatchObject({ code: 29 });
  });
});

test('a polled call that throws: the next poll throws it, and no rejection goes unhandled', async () => {
  const clock = new SimulatedClock();
  const record = new AsaRecord({} as Asa);
  const state = { asas: new Map([[1, record]]), clock } as unknown as State;
  const polls = new Polls(state);
  const fault = new Error('a fault of the engine');
  const operation: Operation<readonly [number]> = {
    call: 'discover',
    asa: 1,
    key: 'key',
    session: undefined,
    pending: [2],
    run: () => Promise.reject(fault),
  };
  await expect(clock.until(polls.poll(operation))).rejects.toBe(fault);
});
