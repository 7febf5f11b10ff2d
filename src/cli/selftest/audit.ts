/** What must be true when all is over: nothing doubled, nothing left over, nothing counted that nobody expects. */
import type { EngineStatus, Grasp } from '../api.js';
import { demandNoDuplicates } from './discovery.js';
import { demand, eventually, type Stage, type Step } from './stage.js';

/** What the steps do, and how it is counted. */
const EXPLAINED: readonly (readonly [RegExp, string])[] = [
  [
    /^multicast\.(received|passed|handled|sent|own|own-copy)$/,
    'multicasts on their way, own ones heard again included',
  ],
  [/^multicast\.discovery\./, 'discoveries that were answered, relayed, or of no concern'],
  [/^multicast\.flood\./, 'floods that were taken, or own ones that came back'],
  [/^(flood|relay)\./, 'copies that went on, or came round the ring and went no further'],
  [/^response\.(sent|received|connected|unmatched|relayed|late)$/, 'answers to discoveries'],
  [
    /^(session|request|negotiation|synchronization|stream|connection)\./,
    'sessions, and those that had to fail',
  ],
  [/^discovery/, 'discoveries of this node'],
];

/** These say that something was lost or refused: nothing here may cause them. */
const FAULTS =
  /(crashed|failed|early|malformed|too-big|queue-full|kernel-dropped|overload|memory|shed|unreachable|evicted|\.rate$|backlog|\.full|limit)/;

/** On real interfaces both engines are on one host, and port 7017 is one engine's of a host (RFC 8990 §2.6). */
const OF_A_SHARED_HOST = 'well-known.binding.failed';

/** Whatever was begun for one message. The flood relay is not: one serves all, and what it sends is a queue. */
const PASSING = /relay|session|response/i;
const LASTING = 'floodRelay';
const SENDING = 'flood.sending';

const live = ({ threads }: EngineStatus): string[] =>
  threads.flatMap(({ actors, queues }) => [
    ...actors
      .filter(({ machine, count }) => PASSING.test(machine) && machine !== LASTING && count > 0)
      .map(({ machine, state, count }) => `${count} ${machine} in ${state}`),
    ...queues
      .filter(({ name, length }) => name === SENDING && length > 0)
      .map(({ length }) => `${length} floods under way`),
  ]);

const engines = ({ host, peer }: Stage): readonly Grasp[] => [host, peer];

export const auditSteps: readonly Step[] = [
  {
    name: 'no duplicates in the discovery cache',
    run: async ({ one, far }) => {
      const names = ['Boot', 'Far', 'Far3', 'Near', 'Rapid', 'Steps', 'Wait'];
      let entries = 0;
      for (const asa of [one, far]) {
        for (const name of names) {
          const cached = await asa.discover(name, { timeoutMs: 0 });
          demandNoDuplicates(name, cached);
          entries += cached.length;
        }
      }
      demand(entries > 0, 'nothing is cached at all');
      return `${entries} entries`;
    },
  },
  {
    name: 'every relay and session has ended',
    run: async (stage) => {
      let left: string[] = [];
      await eventually(stage, 'the end of all relays and sessions', 10_000, async () => {
        left = (await Promise.all(engines(stage).map((engine) => engine.status()))).flatMap(live);
        return left.length === 0 ? true : undefined;
      }).catch((error: unknown) => {
        demand(left.length === 0, `still there: ${left.join(', ')}`);
        throw error;
      });
      return 'none is left';
    },
  },
  {
    name: 'every counter is explained',
    run: async (stage) => {
      let names = 0;
      for (const engine of engines(stage)) {
        const { counters } = await engine.status();
        for (const [name, count] of Object.entries(counters)) {
          if (count === 0 || name === OF_A_SHARED_HOST) continue;
          names++;
          const known = !FAULTS.test(name) && EXPLAINED.some(([pattern]) => pattern.test(name));
          demand(known, `${name} was counted ${count} times, and nothing here should cause it`);
        }
        demand((counters['flood.relay.relayed'] ?? 0) > 0, 'no flood was relayed');
      }
      return `${names} of them`;
    },
  },
];
