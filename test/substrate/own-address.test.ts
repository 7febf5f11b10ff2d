import { describe, expect, test } from '@jest/globals';
import {
  addressForSelf,
  initiatorAddress,
  isLocalName,
  isOwnAddress,
  isUsable,
  ownAddress,
  type Environment,
} from '../../src/substrate/index.js';

function environment(
  interfaces: Record<string, { linkLocal?: string; addresses?: string[] }>,
  otherAddresses: string[] = [],
): Environment {
  return {
    security: 'insecure',
    otherAddresses,
    interfaces: Object.entries(interfaces).map(([name, { linkLocal, addresses = [] }], i) => {
      return { name, index: i + 2, linkLocal, addresses };
    }),
  };
}

describe('§2.9.5.1 own address', () => {
  const full = environment(
    {
      eth0: { linkLocal: 'fe80::1', addresses: ['192.0.2.7', '2001:db8::1'] },
      eth1: { linkLocal: 'fe80::2', addresses: ['fd00::1'] },
    },
    ['2001:db8:ffff::1'],
  );

  test('is the first global or ULA one of the chosen interfaces, IPv6 before IPv4, whichever interface asks', () => {
    expect(ownAddress(full)).toBe('2001:db8::1');
    expect(ownAddress(full, 'eth1')).toBe('2001:db8::1');
    const mixed = { eth0: { addresses: ['192.0.2.7'] }, eth1: { addresses: ['fd00::1'] } };
    expect(ownAddress(environment(mixed))).toBe('fd00::1');
    expect(ownAddress(environment({ eth0: { addresses: ['192.0.2.7'] } }, ['fd00::9']))).toBe('192.0.2.7');
  });

  test('else one of another interface, lo included', () => {
    const only = environment({ eth0: { linkLocal: 'fe80::1' } }, ['2001:db8:ffff::1']);
    expect(ownAddress(only, 'eth0')).toBe('2001:db8:ffff::1');
  });

  test('else the link-local one of the interface concerned, and of no other', () => {
    const bare = environment({ eth0: { linkLocal: 'fe80::1' }, eth1: { linkLocal: 'fe80::2' }, eth2: {} });
    expect(ownAddress(bare, 'eth1')).toBe('fe80::2');
    expect(ownAddress(bare, 'eth2')).toBeUndefined();
    expect(ownAddress(bare, 'eth9')).toBeUndefined();
    expect(ownAddress(bare)).toBeUndefined();
  });

  test('is never loopback, unspecified, multicast or link-local by mistake', () => {
    const wrong = [
      '::1',
      '127.0.0.1',
      '::',
      '0.0.0.0',
      'ff02::13',
      '224.0.0.119',
      'fe80::9',
      '169.254.1.1',
      'nonsense',
    ];
    for (const address of [...wrong, '::ffff:192.0.2.1', '255.255.255.255'])
      expect(isUsable(address)).toBe(false);
    for (const address of ['2001:db8::1', 'fd00::1', '10.0.0.1', '192.0.2.1'])
      expect(isUsable(address)).toBe(true);
    expect(ownAddress(environment({ eth0: { addresses: wrong } }, wrong))).toBeUndefined();
  });

  test('towards the own engine there is always one', () => {
    expect(addressForSelf(full)).toBe('2001:db8::1');
    expect(addressForSelf(environment({ eth0: { linkLocal: 'fe80::1' } }))).toBe('::1');
    expect(addressForSelf(environment({}))).toBe('::1');
  });
});

describe('§2.8.4 initiator address', () => {
  test('is a global one, else the link-local one of the interface, else any link-local one', () => {
    const bare = environment({ eth0: {}, eth1: { linkLocal: 'fe80::2' }, eth2: { linkLocal: 'fe80::3' } });
    expect(
      initiatorAddress(environment({ eth0: { linkLocal: 'fe80::1', addresses: ['fd00::1'] } }), 'eth0'),
    ).toBe('fd00::1');
    expect(initiatorAddress(bare, 'eth2')).toBe('fe80::3');
    expect(initiatorAddress(bare)).toBe('fe80::2');
    expect(initiatorAddress(bare, 'eth0')).toBe('fe80::2');
    expect(initiatorAddress(environment({}))).toBeUndefined();
  });
});

describe('an IPv4-only node', () => {
  const only4 = environment({ eth0: { addresses: ['192.0.2.7'] }, eth1: { addresses: ['169.254.3.4'] } });

  test('§2.8.4 has its IPv4 address for initiator, a link-local one (RFC 3927) only if there is no other', () => {
    expect(initiatorAddress(only4, 'eth1')).toBe('192.0.2.7');
    expect(ownAddress(only4)).toBe('192.0.2.7');
    const bare = environment({ eth1: { addresses: ['169.254.3.4'] } });
    expect(initiatorAddress(bare, 'eth1')).toBe('169.254.3.4');
    expect(ownAddress(bare, 'eth1')).toBe('169.254.3.4');
    expect(ownAddress(bare)).toBeUndefined();
  });
});

describe('what comes from this host', () => {
  const own = environment({ eth0: { linkLocal: 'fe80::1', addresses: ['192.0.2.7', 'fd00::1'] } }, [
    '2001:db8::5',
  ]);

  test('is known by any address of any interface, zoned, mapped or loopback', () => {
    const ours = ['fe80::1', 'fe80::1%eth0', '192.0.2.7', '::ffff:192.0.2.7', 'fd00::1', '2001:db8::5'];
    for (const address of [...ours, '::1', '127.0.0.1', '::ffff:127.0.0.1']) {
      expect(isOwnAddress(own, address)).toBe(true);
    }
    for (const address of ['fe80::2', '192.0.2.8', '::ffff:192.0.2.8', 'fd00::11', '']) {
      expect(isOwnAddress(own, address)).toBe(false);
    }
  });
});

describe('§2.9.5.3 names', () => {
  test('of one link or host are told from domain names', () => {
    for (const name of ['printer.local', 'LOCAL', 'a.b.Local.', 'localhost', 'x.localhost']) {
      expect(isLocalName(name)).toBe(true);
    }
    for (const name of ['local.example', 'mylocal', 'host.example.', 'localhost.example']) {
      expect(isLocalName(name)).toBe(false);
    }
  });
});
