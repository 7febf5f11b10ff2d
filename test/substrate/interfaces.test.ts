/** The looks at the host, over a platform that is the test's: what comes of those that cannot be taken. */
import { describe, expect, test } from '@jest/globals';
import { SimulatedClock } from '../../src/runtime/index.js';
import { InterfaceWatch } from '../../src/substrate/plain/interfaces.js';
import { UNTOLD, type HostInterface, type Platform } from '../../src/substrate/plain/platform.js';

const L1: HostInterface = {
  name: 'l1',
  index: 2,
  linkLocal: 'fe80::1',
  addresses: ['fd00::1'],
  networks: [],
  mtu: 1500,
  loopback: false,
  multicast: true,
  tentative: false,
};

/** A host; undefined: no file descriptor is left to look at it. */
class Host implements Platform {
  interfaces: HostInterface[] | undefined = [L1];
  looks = 0;

  list(): HostInterface[] | undefined {
    this.looks++;
    return this.interfaces;
  }

  indexOf(name: string): number | undefined {
    return this.interfaces ? this.interfaces.find((each) => each.name === name)?.index : UNTOLD;
  }

  drops(): number {
    return 0;
  }
}

function watching(host: Host, chosen?: readonly string[], lenient = false) {
  const clock = new SimulatedClock(0);
  const options = { chosen, security: 'none', pollIntervalMs: 500, ipv4: true, lenient } as const;
  const watch = new InterfaceWatch(host, clock, options);
  let [looked, changed] = [0, 0];
  watch.onLook(() => void looked++);
  watch.watch(() => void changed++);
  return { watch, clock, told: () => ({ looked, changed }) };
}

describe('without a file descriptor left', () => {
  test('what the last look saw is kept, nobody is told, and the next look comes in time', async () => {
    const host = new Host();
    const { watch, clock, told } = watching(host);
    const before = watch.environment;
    host.interfaces = undefined;
    await clock.advance(1_000);
    expect(host.looks).toBe(3);
    expect(told()).toEqual({ looked: 0, changed: 0 });
    expect(watch.environment).toBe(before);
    expect(watch.require('l1').index).toBe(2);

    host.interfaces = [{ ...L1, addresses: ['fd00::2'] }];
    await clock.advance(500);
    expect(told()).toEqual({ looked: 1, changed: 1 });
    expect(watch.environment.interfaces[0]?.addresses).toEqual(['fd00::2']);
    watch.close();
  });

  test.each([undefined, ['l1']])('a start fails and says why; interfaces named: %j', (chosen) => {
    const host = new Host();
    host.interfaces = undefined;
    expect(() => watching(host, chosen)).toThrow('no file descriptor is left');
  });
});

describe('of two interfaces on one IPv4 subnet', () => {
  const both = ['eth0', 'wlan0'].map((name, n) => ({
    ...L1,
    name,
    index: n + 1,
    networks: [`192.0.2.${n + 1}/24`],
  }));
  const first = (chosen: readonly string[] | undefined, lenient = false): string | undefined => {
    const host = new Host();
    host.interfaces = both;
    const { watch } = watching(host, chosen, lenient);
    const [name] = watch.byPrecedence.map((each) => each.name);
    expect(watch.byPrecedence).toHaveLength(2);
    expect(watch.chosen.find(({ ipv4 }) => ipv4 !== undefined)?.name).toBe(name);
    watch.close();
    return name;
  };

  test('what comes from it is taken to have come by the one that is in use', () => {
    expect(first(['wlan0'])).toBe('wlan0');
    expect(first(['eth0'])).toBe('eth0');
    expect(first(undefined)).toBe('eth0');
    // Shared later, after a start that named both.
    expect(first(['wlan0', 'eth0'], true)).toBe('wlan0');
  });
});

test('a start with a name that no interface bears fails and names it', () => {
  expect(() => watching(new Host(), ['l1', 'l9'])).toThrow("there is no interface 'l9'");
});
