/**
 * Calls and events of sessions on their way between threads: as lists of fields. V8 writes the name of each field of an object
 * and looks it up at the other end, which takes a third of what a small message costs. What is rare, failures above all, goes as
 * the object it is. See `session-protocol.ts` for what the fields are.
 */
import type { Target } from '../substrate/types.js';
import type { Answer, FromSessions, ToSessions } from './session-protocol.js';

/** How a data port's events travel: made by `pack` at one end, undone by `unpack` at the other. */
interface Form<Event> {
  readonly pack: (event: Event) => unknown;
  readonly unpack: (packed: unknown) => Event;
}

/** Undoes what was packed; what was not is taken as it is. */
const unpacking =
  <Fields, Event>(unpack: (fields: Fields) => Event) =>
  (packed: unknown): Event =>
    Array.isArray(packed) ? unpack(packed as Fields) : (packed as Event);

type Step = Extract<ToSessions, { t: 'step' }>;

/** Name, flags, loop count. */
type Head = [string, number, number];
/** Address, port, interface. */
type End = [string, number, string | undefined];
type Options = [
  asa: number,
  connectTimeoutMs: number,
  timeoutMs: number,
  maxMessageBytes: number | undefined,
];

const REQUEST = 0;
const STEP = 1;
const END = 2;
const TAKE = 3;

type PackedCall =
  | [typeof REQUEST, call: number, session: number, ...Head, value: Uint8Array, ...End, ...Options]
  | [typeof STEP, call: number, session: number, Uint8Array, Step['loopCount'], Step['dryRun'], number]
  | [typeof END, call: number, session: number, accept: boolean, reason: string | undefined]
  | [typeof TAKE, listen: number, n: number];

/** Client → session host. */
export const callForm: Form<ToSessions> = {
  pack: (event): PackedCall | ToSessions => {
    switch (event.t) {
      case 'request': {
        const { call, session, asa, objective, value, target, connectTimeoutMs, timeoutMs, maxMessageBytes } =
          event;
        // A name that is to be looked up.
        if (target.fqdn === true) return event;
        const { name, flags, loopCount } = objective;
        const { address, port, interface: on } = target;
        // prettier-ignore
        return [
          REQUEST, call, session, name, flags, loopCount, value, address, port, on,
          asa, connectTimeoutMs, timeoutMs, maxMessageBytes,
        ];
      }
      case 'step': {
        const { call, session, value, loopCount, dryRun, timeoutMs } = event;
        return [STEP, call, session, value, loopCount, dryRun, timeoutMs];
      }
      case 'end':
        return [END, event.call, event.session, event.accept, event.reason];
      case 'take':
        return [TAKE, event.listen, event.n];
      default:
        return event;
    }
  },

  unpack: unpacking((fields: PackedCall): ToSessions => {
    switch (fields[0]) {
      case REQUEST: {
        // prettier-ignore
        const [
          , call, session, name, flags, loopCount, value, address, port, on,
          asa, connectTimeoutMs, timeoutMs, maxMessageBytes,
        ] = fields;
        const objective = { name, flags, loopCount };
        const target = targetOf(address, port, on);
        // prettier-ignore
        return {
          t: 'request', call, session, asa, objective, value, target, connectTimeoutMs, timeoutMs, maxMessageBytes,
        };
      }
      case STEP: {
        const [, call, session, value, loopCount, dryRun, timeoutMs] = fields;
        return { t: 'step', call, session, value, loopCount, dryRun, timeoutMs };
      }
      case END: {
        const [, call, session, accept, reason] = fields;
        return { t: 'end', call, session, accept, reason };
      }
      case TAKE:
        return { t: 'take', listen: fields[1], n: fields[2] };
    }
  }),
};

const INCOMING = 0;
const OFFERED = 1;
const ACCEPTED = 2;
const SYNCHRONIZED = 3;
const DONE = 4;

type PackedEvent =
  | [typeof INCOMING, listen: number, session: number, ...Head, value: Uint8Array, ...End, sessionId: number]
  | [typeof OFFERED, call: number, session: number, Uint8Array, loopCount: number, ...End, sessionId: number]
  | [typeof ACCEPTED, call: number, session: number, ...End, sessionId: number]
  | [
      typeof SYNCHRONIZED,
      call: number,
      session: number,
      ...Head,
      value: Uint8Array,
      ...End,
      sessionId: number,
    ]
  | [typeof DONE, call: number, session: number];

/** Session host → client. */
export const eventForm: Form<FromSessions> = {
  pack: (event): PackedEvent | FromSessions => {
    switch (event.t) {
      case 'incoming': {
        const { listen, session, objective, value, remote, sessionId } = event;
        const { name, flags, loopCount } = objective;
        const { address, port, interface: on } = remote;
        return [INCOMING, listen, session, name, flags, loopCount, value, address, port, on, sessionId];
      }
      case 'answer':
        return packedAnswer(event.call, event.session, event.answer) ?? event;
      case 'done':
        return event.failure ? event : [DONE, event.call, event.session];
      case 'ended':
        return event;
    }
  },

  unpack: unpacking((fields: PackedEvent): FromSessions => {
    switch (fields[0]) {
      case INCOMING: {
        const [, listen, session, name, flags, loopCount, value, address, port, on, sessionId] = fields;
        const objective = { name, flags, loopCount };
        return {
          t: 'incoming',
          listen,
          session,
          objective,
          value,
          remote: targetOf(address, port, on),
          sessionId,
        };
      }
      case OFFERED: {
        const [, call, session, value, loopCount, address, port, on, sessionId] = fields;
        const remote = targetOf(address, port, on);
        return {
          t: 'answer',
          call,
          session,
          answer: { state: 'offered', value, loopCount, sessionId, remote },
        };
      }
      case ACCEPTED: {
        const [, call, session, address, port, on, sessionId] = fields;
        const remote = targetOf(address, port, on);
        return { t: 'answer', call, session, answer: { state: 'accepted', sessionId, remote } };
      }
      case SYNCHRONIZED: {
        const [, call, session, name, flags, loopCount, value, address, port, on, sessionId] = fields;
        const objective = { name, flags, loopCount };
        const remote = targetOf(address, port, on);
        return {
          t: 'answer',
          call,
          session,
          answer: { state: 'synchronized', objective, value, sessionId, remote },
        };
      }
      case DONE:
        return { t: 'done', call: fields[1], session: fields[2], failure: undefined };
    }
  }),
};

function packedAnswer(call: number, session: number, answer: Answer): PackedEvent | undefined {
  if (answer.state === 'failed') return undefined;
  const { sessionId } = answer;
  const { address, port, interface: on } = answer.remote;
  switch (answer.state) {
    case 'offered': {
      const { value, loopCount } = answer;
      return [OFFERED, call, session, value, loopCount, address, port, on, sessionId];
    }
    case 'accepted':
      return [ACCEPTED, call, session, address, port, on, sessionId];
    case 'synchronized': {
      const { objective, value } = answer;
      const { name, flags, loopCount } = objective;
      return [SYNCHRONIZED, call, session, name, flags, loopCount, value, address, port, on, sessionId];
    }
  }
}

const targetOf = (address: string, port: number, on: string | undefined): Target =>
  on === undefined ? { address, port } : { address, port, interface: on };
