/** An engine that shows what a test says, and items as engines make them. */
import type { EngineStatus } from '../../src/index.js';
import type { Inspection } from '../../src/api/inspection.js';
import type {
  About,
  FeedItem,
  InspectedActor,
  InspectedMessage,
  InspectedSession,
  InspectedSnapshot,
} from '../../src/inspector/feed.js';
import type { InspectedEvent } from '../../src/api/inspection.js';

type Item = FeedItem | InspectedEvent;

export class FakeEngine {
  status_: EngineStatus = emptyStatus();
  /** Of the sessions so far; tests change it. */
  actors = { seen: 0, chosen: 0 };
  readonly #waiting: Item[][] = [];
  #wake: () => void = () => undefined;
  #closed = false;

  show(...items: Item[]): void {
    this.#waiting.push(items);
    this.#wake();
  }

  /** The engine is closed. */
  end(): void {
    this.#closed = true;
    this.#wake();
  }

  inspect(): Inspection {
    const next = async (): Promise<IteratorResult<readonly Item[]>> => {
      for (;;) {
        const value = this.#waiting.shift();
        if (value !== undefined) return { done: false, value };
        if (this.#closed) return { done: true, value: undefined };
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    };
    const close = async (): Promise<void> => this.end();
    const actors = (): { seen: number; chosen: number } => this.actors;
    return {
      attached: Promise.resolve(),
      share: 1,
      get actors() {
        return actors();
      },
      dropped: { unsampled: 0, rate: 0, slow: 0 },
      shown: 0,
      close,
      [Symbol.asyncDispose]: close,
      [Symbol.asyncIterator]: () => ({ next }),
    };
  }

  async status(): Promise<EngineStatus> {
    return this.status_;
  }
}

export function emptyStatus(over: Partial<EngineStatus> = {}): EngineStatus {
  return {
    security: 'insecure',
    placement: 'worker',
    interfaces: [],
    wellKnownPort: true,
    threads: [],
    asas: [],
    objectives: [],
    limits: {} as EngineStatus['limits'],
    counters: {},
    ...over,
  };
}

let seq = 0;
const common = (at: number, thread: string): { at: number; thread: string; seq: number } => ({
  at,
  thread,
  seq: ++seq,
});

export interface Told {
  readonly at?: number;
  readonly thread?: string;
  readonly about?: About;
  readonly machine?: string;
}

export function actor(id: string, state: string, told: Told = {}): InspectedActor {
  const { at = 0, thread = 'sessions-1', about = {}, machine = 'negotiationSession' } = told;
  return {
    type: '@xstate.actor',
    ...common(at, thread),
    sessionId: id,
    rootId: id,
    machine,
    about,
    snapshot: { status: 'active', value: state, context: {} },
    existing: false,
  };
}

export function step(
  id: string,
  event: string,
  state: string,
  told: Told & { readonly status?: InspectedSnapshot['snapshot']['status'] } = {},
): InspectedSnapshot {
  const {
    at = 0,
    thread = 'sessions-1',
    about = {},
    machine = 'negotiationSession',
    status = 'active',
  } = told;
  return {
    type: '@xstate.snapshot',
    ...common(at, thread),
    sessionId: id,
    rootId: id,
    machine,
    about,
    event: { type: event },
    snapshot: { status, value: state, context: {} },
  };
}

export function session(
  id: string,
  phase: 'begun' | 'ended',
  told: Told & Partial<Pick<InspectedSession, 'outcome' | 'code' | 'reason'>> = {},
): InspectedSession {
  const { at = 0, thread = 'sessions-1', about = {}, machine: _machine, ...rest } = told;
  return {
    type: 'grasp.session',
    ...common(at, thread),
    phase,
    procedure: 'negotiation',
    actor: id,
    about,
    ...rest,
  };
}

export function message(
  name: InspectedMessage['message'],
  direction: InspectedMessage['direction'],
  over: Partial<InspectedMessage> = {},
): InspectedMessage {
  const { at = 0, thread = 'sessions-1' } = over;
  return {
    type: 'grasp.message',
    ...common(at, thread),
    direction,
    via: 'stream',
    message: name,
    objectives: [],
    bytes: 20,
    ...over,
  };
}

export const objective = (
  name: string,
  value?: string,
  loopCount = 6,
): InspectedMessage['objectives'][number] => ({
  name,
  flags: 3,
  loopCount,
  ...(value === undefined ? {} : { value }),
});
