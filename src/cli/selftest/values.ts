/** Flooding (RFC 8990 §2.5.6.2) and synchronization (§2.5.6). */
import { encodeValue, ErrorCode, RawCbor } from '../../protocol/index.js';
import type { Objective } from '../api.js';
import { demand, demandEqual, eventually, failsWith, type Stage, type Step } from './stage.js';

const MONEY = [100, 'NZD'];
const BLING = ['Diamonds', 'Rubies'];
/** CBOR within CBOR, as intents are flooded: tag 24. */
const INTENT = ['Some', 'embedded', 'CBOR', [1, 2, 3]];
const LIFETIME_MS = 500;
/** Counted at the host. */
const RELAYED = ['flood.relay.relayed', 'multicast.discovery.relayed'];

/** How many entries the peer has of a name, as soon as there are so many. */
async function peerHas(stage: Stage, name: string, count: number): Promise<unknown[]> {
  return eventually(stage, `${count} entries of ${name} at the other node`, 5_000, async () => {
    const entries = await stage.far.getFlood(name);
    return entries.length === count ? entries.map((entry) => entry.value) : undefined;
  });
}

const synchronizable = (stage: Stage, name: string): Promise<Objective> =>
  stage.one.registerObjective({ name, synchronize: true, loopCount: 2 });

export const floodSteps: readonly Step[] = [
  {
    name: 'flood: three objectives in one message, here and at the other node',
    run: async (stage) => {
      const [money, bling, intent] = [
        await synchronizable(stage, 'Money'),
        await synchronizable(stage, 'Bling'),
        await synchronizable(stage, 'Intent.PrefixManager'),
      ];
      const raw = new RawCbor(encodeValue(INTENT));
      await stage.one.flood(
        [
          { objective: money, value: MONEY },
          { objective: bling, value: BLING },
          { objective: intent, value: raw },
        ],
        { ttlMs: 60_000 },
      );
      for (const [name, value] of [
        ['Money', MONEY],
        ['Bling', BLING],
      ] as const) {
        const here = await stage.two.getFlood(name);
        demandEqual(
          `${name} here`,
          here.map((entry) => entry.value),
          [value],
        );
        demandEqual(`${name} there`, await peerHas(stage, name, 1), [value]);
      }
      for (const asa of [stage.two, stage.far]) {
        const [entry] = await asa.getFlood('Intent.PrefixManager');
        demand(entry?.value instanceof RawCbor, 'the intent is no embedded CBOR');
        demandEqual('the intent', [...entry.value.bytes], [...encodeValue(INTENT)]);
      }
      return 'Money, Bling, Intent.PrefixManager (tag 24)';
    },
  },
  {
    name: 'relay: a flood and a discovery of the other node go on by the other interface',
    run: async (stage) => {
      const { host, one, far } = stage;
      const before = (await host.status()).counters;
      const other = await far.registerObjective({ name: 'Other', synchronize: true });
      await far.flood([{ objective: other, value: 'from afar' }], { ttlMs: 60_000 });
      await eventually(stage, 'a flood of the other node', 5_000, async () => {
        const [entry] = await one.getFlood('Other');
        return entry?.value === 'from afar' ? true : undefined;
      });
      demandEqual(
        'who has what nobody has',
        (await far.discover('Nobody has it', { timeoutMs: 300 })).length,
        0,
      );
      const { counters } = await host.status();
      for (const name of RELAYED) {
        demand((counters[name] ?? 0) > (before[name] ?? 0), `nothing was counted as ${name}`);
      }
      return RELAYED.join(', ');
    },
  },
  {
    name: 'flood: the same tag overwrites, another tag is kept beside it, and an entry can be forgotten',
    run: async (stage) => {
      const price = await synchronizable(stage, 'Price');
      const flood = (value: number, locator: string | null): Promise<void> =>
        stage.one.flood([{ objective: price, value, locator }], { ttlMs: 60_000 });
      await flood(1, '[2001:db8::1]:1001');
      await flood(2, '[2001:db8::2]:1002');
      await flood(3, null);
      await flood(4, '[2001:db8::1]:1001');
      await eventually(stage, 'the new value at the other node', 5_000, async () =>
        (await stage.far.getFlood('Price')).some((entry) => entry.value === 4) ? true : undefined,
      );
      demandEqual('Price there', (await peerHas(stage, 'Price', 3)).sort(), [2, 3, 4]);
      const here = await stage.two.getFlood('Price');
      demandEqual(
        'Price here, the newest first',
        here.map((entry) => entry.value),
        [4, 3, 2],
      );
      await stage.two.expireFlood(here[0]!);
      demandEqual(
        'Price here afterwards',
        (await stage.two.getFlood('Price')).map((entry) => entry.value),
        [3, 2],
      );
      return '3 tags, the newest first';
    },
  },
  {
    name: 'flood: a value is gone when its lifetime is over',
    run: async (stage) => {
      const brief = await synchronizable(stage, 'Brief');
      await stage.one.flood([{ objective: brief, value: 1 }], { ttlMs: LIFETIME_MS });
      demandEqual('Brief at first', (await stage.two.getFlood('Brief')).length, 1);
      for (const asa of [stage.two, stage.far]) {
        await eventually(stage, 'the end of Brief', LIFETIME_MS + 5_000, async () =>
          (await asa.getFlood('Brief')).length === 0 ? true : undefined,
        );
      }
      return `${LIFETIME_MS} ms`;
    },
  },
];

export const synchronizationSteps: readonly Step[] = [
  {
    name: 'synchronize: what is flooded comes from the cache',
    run: async ({ two, far }) => {
      for (const asa of [two, far]) {
        const { value, source } = await asa.synchronize('Bling');
        demandEqual('Bling', [value, source], [BLING, 'flood']);
      }
      return 'Bling';
    },
  },
  {
    name: 'synchronize: fails for what is neither flooded nor listened for',
    run: async ({ two }) => {
      const call = () => two.synchronize('EX1', { loopCount: 2, timeoutMs: 2_000 });
      return `code ${await failsWith('synchronize EX1', call, ErrorCode.noDiscReply, ErrorCode.notFloodDisc)}`;
    },
  },
  {
    name: 'synchronize: from a listener on this host and from another node; its value changes',
    run: async ({ one, two, far }) => {
      const far3 = await far.registerObjective({ name: 'Far3', synchronize: true });
      await far3.listenSynchronize([1, 'two', 3]);
      const first = await one.synchronize('Far3');
      demandEqual('Far3', [first.value, first.source], [[1, 'two', 3], 'request']);
      await far3.listenSynchronize('changed');
      demandEqual('Far3 then', (await one.synchronize('Far3')).value, 'changed');

      const near = await two.registerObjective({ name: 'Near', synchronize: true });
      await near.listenSynchronize(['here']);
      for (const asa of [one, far]) demandEqual('Near', (await asa.synchronize('Near')).value, ['here']);
      return 'request';
    },
  },
  {
    name: 'synchronize: a rapid objective tells its value in the answer to the discovery',
    run: async ({ one, far }) => {
      const rapid = await far.registerObjective({ name: 'Rapid', synchronize: true, rapid: true });
      await rapid.listenSynchronize({ speed: 'high' });
      const { value, source } = await one.synchronize('Rapid');
      demandEqual('Rapid', [[...(value as Map<string, string>)], source], [[['speed', 'high']], 'rapid']);
      return 'rapid';
    },
  },
  {
    name: 'deregistration: a value that was there cannot be had any more',
    run: async ({ one, far }) => {
      const gone = await far.registerObjective({ name: 'Gone', synchronize: true });
      await gone.listenSynchronize(1);
      demandEqual('Gone at first', (await one.synchronize('Gone')).value, 1);
      await gone.deregister();
      const codes = [
        await failsWith('listening for it', () => gone.listenSynchronize(2), ErrorCode.notYourObj),
        await failsWith(
          'synchronize Gone',
          () => one.synchronize('Gone', { timeoutMs: 2_000, loopCount: 2 }),
          ErrorCode.noDiscReply,
          ErrorCode.notFloodDisc,
          ErrorCode.sockErrSynRq,
        ),
      ];
      return `codes ${codes.join(', ')}`;
    },
  },
];
