/** Puts the facade together: every call under its names, in its forms, with its result's shape. */
import { ErrorCode, type GraspError } from '../../protocol/index.js';
import type { Grasp } from '../grasp.js';
import { failureOf } from './codes.js';
import { dumpAll, SyntaxCheck, type dump } from './diagnosis.js';
import { expireFlood, flood, getFlood } from './flooding.js';
import {
  called,
  notify,
  Polls,
  withCallback,
  type callback,
  type notify_result,
  type Operation,
} from './forms.js';
import type { graspi_api, older_graspi, other_calls, variables, waiting_calls } from './interface.js';
import { flag, misuse, named } from './keywords.js';
import { Interfaces } from './locators.js';
import { endNegotiate, negotiateWait, sendInvalid, stopNegotiate } from './negotiation.js';
import { deregisterAsa, deregisterObjective, registerAsa, registerObjective } from './registration.js';
import type { get_flood_result, negotiate_result, register_result } from './results.js';
import type { configuration } from './settings.js';
import { State } from './state.js';
import { listenSynchronize, stopSynchronize } from './synchronization.js';
import { Transcript } from './transcript.js';
import { older, WaitingCalls } from './waiting.js';

type Arguments = readonly unknown[];

/**
 * A facade of its own; the package's default export is one that starts an engine when it is first needed.
 *
 * @param grasp an engine that runs already; closing the facade leaves it running
 * @param wanted see `configure`
 *
 * @example
 * const north = createGraspi(await Grasp.start({ substrate: { kind: 'simulated', node } }));
 * const [err, handle] = await north.register_asa('Gray');
 */
export function createGraspi(grasp?: Grasp, wanted: configuration = {}): graspi_api {
  const state = new State(grasp, wanted);
  const interfaces = new Interfaces(() => state.grasp);
  const transcript = new Transcript(() => state.configuration.output ?? toStandardOutput);
  const check = new SyntaxCheck(state, transcript);
  const waiting = new WaitingCalls(state, interfaces);
  const polls = new Polls(state);

  /** The code of a call whose result is nothing but that. */
  const code = async (work: () => Promise<void>): Promise<number> => {
    try {
      await work();
      return ErrorCode.ok;
    } catch (error) {
      const failure = failureOf(error);
      state.lastError = failure;
      return failure.code;
    }
  };

  const others: other_calls = {
    async register_asa(name): Promise<register_result> {
      let handle: number | null = null;
      const err = await code(async () => {
        handle = await registerAsa(state, name);
        transcript.speaker = [...state.asas.values()].map(({ asa }) => asa.name).join(', ');
        check.follow();
      });
      return [err, handle];
    },
    deregister_asa: (asa, name) =>
      code(async () => {
        const record = typeof asa === 'number' ? state.asas.get(asa) : undefined;
        await deregisterAsa(state, asa, name);
        if (record) polls.forget(record);
      }),
    register_obj: (asa: unknown, objective: unknown, ...rest: Arguments) =>
      code(() => registerObjective(state, interfaces, asa, objective, rest)),
    register_objective: (asa: unknown, objective: unknown, ...rest: Arguments) =>
      code(() => registerObjective(state, interfaces, asa, objective, rest)),
    deregister_obj: (asa, objective) => code(() => deregisterObjective(state, asa, objective)),
    deregister_objective: (asa, objective) => code(() => deregisterObjective(state, asa, objective)),
    stop_negotiate: (asa, objective) => code(() => stopNegotiate(state, asa, objective)),
    stop_listen_negotiate: (asa, objective) => code(() => stopNegotiate(state, asa, objective)),
    negotiate_wait: (asa, session, timeout) => code(() => negotiateWait(state, asa, session, timeout)),
    end_negotiate: (asa, session, result, ...rest: Arguments) =>
      code(async () => {
        const { reason } = named(rest, ['reason']);
        await endNegotiate(state, asa, session, result, reason);
      }),
    send_invalid: (asa, session, ...rest: Arguments) =>
      code(async () => {
        const { info } = named(rest, ['info']);
        await sendInvalid(state, asa, session, info);
      }),
    listen_synchronize: (asa, objective) => code(() => listenSynchronize(state, asa, objective)),
    stop_synchronize: (asa, objective) => code(() => stopSynchronize(state, asa, objective)),
    stop_listen_synchronize: (asa, objective) => code(() => stopSynchronize(state, asa, objective)),
    flood: (asa, ttl, ...given) => code(() => flood(state, interfaces, { handle: asa, ttl, given })),
    async get_flood(asa, objective): Promise<get_flood_result> {
      let found: get_flood_result[1] = null;
      const err = await code(async () => {
        found = await getFlood(state, interfaces, asa, objective);
      });
      return [err, found];
    },
    expire_flood: (asa, tagged) => code(() => expireFlood(state, interfaces, asa, tagged)),

    skip_dialogue(...args: Arguments): void {
      // The order of the prototype; its encryption and its configuration dialogue do not exist here.
      const wish = named(args, [
        'testing',
        'selfing',
        'diagnosing',
        'quadsing',
        'be_dull',
        'silent',
        'figging',
      ]);
      if (flag(wish.be_dull, 'be_dull')) throw misuse('a DULL instance is an engine of its own');
      if (state.started) return;
      transcript.testing = flag(wish.testing, 'testing');
      state.listen_self = flag(wish.selfing, 'selfing');
      check.on = flag(wish.diagnosing, 'diagnosing');
      transcript.silent = flag(wish.silent, 'silent');
    },
    tprint: (...items) => transcript.print(items),
    ttprint: (...items) => transcript.testPrint(items),
    init_bubble_text: (caption) => transcript.begin(caption),
    dump_all: async (...args: Arguments): Promise<dump> => {
      const { partial } = named(args, ['partial']);
      return dumpAll(state, interfaces, transcript, flag(partial, 'partial'));
    },
    async notify(asa): Promise<notify_result> {
      let result: notify_result = [ErrorCode.noASA, [], []];
      const err = await code(async () => {
        result = notify(state, asa);
      });
      return [err, result[1], result[2]];
    },
  };

  const variables = {
    get test_mode() {
      return transcript.testing;
    },
    set test_mode(on: boolean) {
      transcript.testing = flag(on, 'test_mode');
    },
    get mess_check() {
      return check.on;
    },
    set mess_check(on: boolean) {
      check.on = flag(on, 'mess_check');
    },
    get listen_self() {
      return state.listen_self;
    },
    set listen_self(on: boolean) {
      if (state.started) throw misuse('listen_self is set before register_asa');
      state.listen_self = flag(on, 'listen_self');
    },
    get test_divert() {
      return state.test_divert;
    },
    set test_divert(on: boolean) {
      if (state.started) throw misuse('test_divert is set before register_asa');
      state.test_divert = flag(on, 'test_divert');
    },
  } satisfies variables;

  /** Awaited, or with a callback. */
  const run = async <R extends readonly unknown[]>(
    args: Arguments,
    callbackName: string,
    make: (args: Arguments) => Operation<R>,
  ): Promise<R> => {
    let taken: { rest: Arguments; callback: callback<R> | undefined };
    try {
      taken = withCallback<R>(args, callbackName);
    } catch (error) {
      // What is no function is refused in the result, like every other mistake.
      return make([...args.slice(0, -1), { [callbackName]: failureOf(error) }]).run();
    }
    const operation = make(taken.rest);
    return taken.callback ? called(operation, taken.callback) : operation.run();
  };
  const poll = <R extends readonly unknown[]>(operation: Operation<R>): Promise<R> => polls.poll(operation);

  const step = (args: Arguments): Operation<negotiate_result> =>
    // The declared shape is the RFC's; who has begun with req_negotiate expects the other.
    waiting.isOlder(args)
      ? (older(waiting.step(args)) as unknown as Operation<negotiate_result>)
      : waiting.step(args);

  const calls: waiting_calls = {
    discover: (...args: Arguments) => run(args, 'discovery_received', (rest) => waiting.discover(rest)),
    request_negotiate: (...args: Arguments) =>
      run(args, 'negotiate_step_received', (rest) => waiting.request(rest, false)),
    req_negotiate: (...args: Arguments) =>
      run(args, 'negotiate_step_received', (rest) => older(waiting.request(rest, true))),
    negotiate_step: (...args: Arguments) => run(args, 'negotiate_step_received', step),
    listen_negotiate: (...args: Arguments) =>
      run(args, 'negotiate_step_received', (rest) => waiting.listen(rest)),
    synchronize: (...args: Arguments) =>
      run(args, 'synchronization_received', (rest) => waiting.synchronize(rest)),
  };

  const polling: waiting_calls = {
    discover: (...args: Arguments) => poll(waiting.discover(args)),
    request_negotiate: (...args: Arguments) => poll(waiting.request(args, false)),
    req_negotiate: (...args: Arguments) => poll(older(waiting.request(args, true))),
    negotiate_step: (...args: Arguments) => poll(step(args)),
    listen_negotiate: (...args: Arguments) => poll(waiting.listen(args)),
    synchronize: (...args: Arguments) => poll(waiting.synchronize(args)),
  };

  const olderModule: older_graspi = withVariables(
    {
      ...calls,
      ...others,
      negotiate_step: (...args: Arguments) =>
        run(args, 'negotiate_step_received', (rest) => older(waiting.step(rest))),
    },
    variables,
  );

  return withVariables(
    {
      ...calls,
      ...others,
      grasp: olderModule,
      polling,
      get last_error(): GraspError | null {
        return state.lastError;
      },
      configure: (more: configuration) => state.configure(more),
      close: async () => {
        check.stop();
        await state.close();
      },
    },
    variables,
  );
}

function toStandardOutput(text: string): void {
  process.stdout.write(text);
}

/** One set of variables in several modules. */
function withVariables<T extends object>(target: T, source: variables): T & variables {
  return Object.defineProperties(target, Object.getOwnPropertyDescriptors(source)) as T & variables;
}
