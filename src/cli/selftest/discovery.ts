/** Registration (RFC 8991 §2.3.3) and discovery (RFC 8990 §2.5.4). */
import type { AsaLocator } from '../api.js';
import { ErrorCode, isLinkLocal } from '../../protocol/index.js';
import { demand, demandEqual, failsWith, type Step } from './stage.js';

/** Where it is, whoever told it last: only a link-local address says more with its interface. */
export const placeOf = ({ address, port, protocol, interface: by }: AsaLocator): string =>
  `${address}${isLinkLocal(address) ? `%${by ?? ''}` : ''} ${String(port)} ${String(protocol)}`;

/** No place twice. */
export function demandNoDuplicates(what: string, locators: readonly AsaLocator[]): void {
  const places = locators.map(placeOf);
  demand(new Set(places).size === places.length, `${what}: the same place twice: ${places.join(', ')}`);
}

export const registrationSteps: readonly Step[] = [
  {
    name: 'registration: ASA names and objectives are unique, and no objective does both',
    run: async ({ host, one, two }) => {
      const ex1 = await one.registerObjective({
        name: 'EX1',
        synchronize: true,
        loopCount: 2,
        ttlMs: 10_000,
      });
      const codes = [
        await failsWith('the same ASA again', () => host.registerAsa(one.name), ErrorCode.dupASA),
        await failsWith(
          'the same objective again',
          () => one.registerObjective({ name: 'EX1', synchronize: true }),
          ErrorCode.objReg,
        ),
        await failsWith(
          'the same objective by another ASA',
          () => two.registerObjective({ name: 'EX1', synchronize: true }),
          ErrorCode.objReg,
          ErrorCode.notOverlap,
        ),
        await failsWith(
          'an objective to negotiate and synchronize',
          () => one.registerObjective({ name: 'EX0', negotiate: true, synchronize: true }),
          ErrorCode.notBoth,
        ),
        await failsWith(
          'a dry run without negotiation',
          () => one.registerObjective({ name: 'EX0', synchronize: true, dryRun: true }),
          ErrorCode.notDry,
        ),
        await failsWith(
          'a negotiation of an objective to synchronize',
          () => one.requestNegotiate(ex1, 1, { peer: { address: '::1', port: 1 } }),
          ErrorCode.notNeg,
        ),
        await failsWith(
          'a loop count of 0',
          () => one.registerObjective({ name: 'EX0', synchronize: true, loopCount: 0 }),
          ErrorCode.unspec,
        ),
      ];
      return `codes ${codes.join(', ')}`;
    },
  },
];

export const discoverySteps: readonly Step[] = [
  {
    name: 'discovery: an objective nobody listens for is not found',
    run: async ({ one }) => {
      const found = await one.discover('EX1', { timeoutMs: 200 });
      demandEqual('the number of answers', found.length, 0);
      return 'nobody';
    },
  },
  {
    name: 'discovery: a discoverable objective of another ASA of this host',
    run: async ({ one, two }) => {
      await two.registerObjective({ name: 'Boot', synchronize: true, loopCount: 2, discoverable: true });
      // Three times, as what is cached must not change the answer.
      const counts: number[] = [];
      for (let i = 0; i < 3; i++) {
        const found = await one.discover('Boot', { timeoutMs: 200 });
        demand(found.length > 0, 'Boot was not found');
        demand(
          found.every((each) => each.port !== null),
          'a locator without a port',
        );
        demandNoDuplicates('Boot', found);
        counts.push(found.length);
      }
      demandEqual('the number of locators', new Set(counts).size, 1);
      return `${counts[0]} locator(s), three times`;
    },
  },
  {
    name: 'discovery: an objective of another node, told as a divert',
    run: async ({ one, far }) => {
      await far.registerObjective({ name: 'Far', synchronize: true, discoverable: true });
      const found = await one.discover('Far', { timeoutMs: 600 });
      demand(found.length > 0, 'Far was not found');
      demandNoDuplicates('Far', found);
      demand(
        found.some((each) => each.diverted),
        'no locator came in a divert',
      );
      const again = await one.discover('Far', { timeoutMs: 0 });
      demandNoDuplicates('the discovery cache', again);
      demandEqual('what is cached', again.map(placeOf).sort(), found.map(placeOf).sort());
      const flushed = await one.discover('Far', { timeoutMs: 600, flush: true });
      demand(flushed.length > 0, 'Far was not found again after flush');
      return `${found.length} locator(s) by ${[...new Set(found.map((each) => each.interface))].join(', ')}`;
    },
  },
];
