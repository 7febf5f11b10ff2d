import { describe, expect, test } from '@jest/globals';
import { onLink, sharedSubnets } from '../../src/substrate/plain/on-link.js';

describe('the interface of an IPv4 multicast, from its source', () => {
  const interfaces = [
    { name: 'eth0', networks: ['10.0.0.1/8'] },
    { name: 'eth1', networks: ['10.1.2.3/16', '192.0.2.1/25'] },
    { name: 'point', networks: ['198.51.100.1/32'] },
    { name: 'none', networks: [] },
  ];

  test('is the one on whose subnet it lies, by the longest prefix', () => {
    expect(onLink('10.9.9.9', interfaces)).toBe('eth0');
    expect(onLink('10.1.255.255', interfaces)).toBe('eth1');
    expect(onLink('192.0.2.127', interfaces)).toBe('eth1');
    expect(onLink('198.51.100.1', interfaces)).toBe('point');
  });

  test('is unknown beyond every subnet', () => {
    for (const address of ['192.0.2.128', '11.0.0.1', '198.51.100.2', '0.0.0.0', '255.255.255.255']) {
      expect(onLink(address, interfaces)).toBeUndefined();
    }
    expect(onLink('10.0.0.1', [])).toBeUndefined();
  });

  test('is found without reading the host’s interfaces again for every datagram', () => {
    let read = 0;
    const many = Array.from({ length: 50 }, (_, n) => ({
      name: `veth${n}`,
      get networks() {
        read++;
        return [`10.0.${n}.1/24`];
      },
    }));
    for (let n = 0; n < 1_000; n++) expect(onLink(`10.0.${n % 50}.9`, many)).toBe(`veth${n % 50}`);
    expect(read).toBe(50);
    expect(onLink('10.0.7.9', [{ name: 'default', networks: ['192.0.2.1/0'] }])).toBe('default');
  });

  test('cannot be told of two interfaces on one subnet; nested subnets and a second address are no harm', () => {
    expect(sharedSubnets(interfaces)).toEqual([]);
    const twice = [
      { name: 'eth0', networks: ['192.0.2.1/24', '192.0.2.9/24'] },
      { name: 'eth1', networks: ['203.0.113.1/24', '192.0.2.2/24'] },
      { name: 'eth2', networks: ['192.0.2.3/25'] },
    ];
    expect(sharedSubnets(twice)).toEqual([{ first: 'eth0', second: 'eth1', subnet: '192.0.2.0/24' }]);
  });
});
