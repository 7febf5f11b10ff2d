/** `grasp selftest`: holds over the simulated network, tells a failure, and names what is wrong with its command line. */
import { describe, expect, jest, test } from '@jest/globals';
import { SELFTEST } from '../../src/cli/commands/selftest.js';
import { auditSteps } from '../../src/cli/selftest/audit.js';
import { plot } from '../../src/cli/selftest/negotiation.js';
import { demandEqual, failsWith, type Stage } from '../../src/cli/selftest/stage.js';
import { demandNoDuplicates } from '../../src/cli/selftest/discovery.js';
import { GraspError } from '../../src/protocol/index.js';
import { Exit } from '../../src/cli/exit.js';
import { grasp } from './world.js';

jest.setTimeout(60_000);

describe('grasp selftest', () => {
  test('every step holds, one line each, and Neg1 and Neg2 end as the seed decides', async () => {
    const run = await grasp(['selftest', '--seed', '5', '--json']);
    const checks = run.lines.filter((line) => line['event'] === 'check');
    expect(checks.filter((line) => line['ok'] !== true)).toEqual([]);
    expect(checks.map((line) => line['name'])).toEqual(SELFTEST.map((step) => step.name));
    expect(run).toMatchObject({ exit: Exit.done, stderr: '' });
    expect(run.lines.at(-1)).toEqual({ event: 'summary', passed: SELFTEST.length, failed: 0, seed: 5 });
    const { wanted } = plot(5);
    expect(run.lines.find((line) => line['event'] === 'said')).toEqual({
      event: 'said',
      asa: 'Neg2',
      text: `wants ["NZD",${wanted}]`,
    });
  });

  test('real interfaces: two of them, or it is a usage error', async () => {
    const run = await grasp(['selftest', '-i', 'lo', '--insecure']);
    expect(run.exit).toBe(Exit.usage);
    expect(run.stderr).toContain('two interfaces');
  });

  test('without --insecure real interfaces are refused like those of any command', async () => {
    const run = await grasp(['selftest', '-i', 'a', '-i', 'b'], {
      startEngine: () => Promise.reject(new GraspError(16)),
    });
    expect(run.exit).toBe(Exit.engine);
    expect(run.lines).toEqual([]);
  });

  test('its demands fail when they should', async () => {
    expect(() => demandEqual('x', [1], [2])).toThrow('x is [1], not [2]');
    const locator = {
      kind: 'ipv6',
      address: '2001:db8::1',
      port: 1,
      protocol: 'tcp',
      diverted: false,
    } as const;
    const twice = [
      { ...locator, interface: 'a', expiresAt: 1 },
      { ...locator, interface: 'b', expiresAt: 2 },
    ];
    expect(() => demandNoDuplicates('EX1', twice)).toThrow('twice');
    const local = twice.map((each) => ({ ...each, address: 'fe80::1' }));
    expect(() => demandNoDuplicates('EX1', local)).not.toThrow();
    await expect(failsWith('a call', () => 1, 5)).rejects.toThrow('succeeded');
    await expect(failsWith('a call', () => Promise.reject(new GraspError(6)), 5)).rejects.toThrow('code 5');
  });

  test('a counter nobody expects, and one that tells of a loss, fail the audit', async () => {
    const audit = auditSteps.at(-1)!;
    const stage = (counters: Record<string, number>): Stage => {
      const engine = { status: () => Promise.resolve({ counters }) };
      return { host: engine, peer: engine } as unknown as Stage;
    };
    const fine = { 'multicast.received': 3, 'flood.relay.relayed': 1 };
    await expect(audit.run(stage(fine))).resolves.toBe('4 of them');
    await expect(audit.run(stage({ ...fine, 'session.crashed': 1 }))).rejects.toThrow('session.crashed');
    await expect(audit.run(stage({ ...fine, 'what.is-this': 1 }))).rejects.toThrow('what.is-this');
    await expect(audit.run(stage({ 'multicast.received': 3 }))).rejects.toThrow('no flood was relayed');
  });
});
