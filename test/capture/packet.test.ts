import { describe, expect, test } from '@jest/globals';
import { readPacket, type Packet } from '../../src/capture/index.js';
import { formatAddress } from '../../src/protocol/index.js';
import { FE80_B, discoveryFrame, ethernet, ip, join, pcap, say, tcp, u16, u32, udp } from './build.js';
import { readFile, short, track } from './read.js';

const DISCOVERY = say.discovery();
const V6 = ip(FE80_B, 'ff02::13', 17, udp(40_000, 7017, DISCOVERY));
const V4 = ip('192.0.2.2', '224.0.0.119', 17, udp(40_000, 7017, DISCOVERY));

function packetOf(linkType: number, bytes: Uint8Array, length = bytes.length): Packet {
  return readPacket({ number: 1, offset: 0, time: 0n, linkType, interface: undefined, bytes, length });
}

function expectDiscovery(packet: Packet, source = FE80_B): void {
  if (packet.kind !== 'udp') throw new Error(packet.kind);
  expect(packet.datagram).toMatchObject({ sourcePort: 40_000, destinationPort: 7017, missing: 0 });
  expect(Buffer.from(packet.datagram.bytes)).toEqual(Buffer.from(DISCOVERY));
  expect(formatAddress(packet.place.source.address)).toBe(source);
}

describe('link types', () => {
  test.each<[string, number, Uint8Array]>([
    ['Ethernet', 1, ethernet(V6)],
    ['raw IP', 101, V6],
    ['raw IP of a BSD', 12, V6],
    ['raw IP of another', 14, V6],
    ['raw IPv6', 229, V6],
    ['Linux cooked', 113, join(u16(0), u16(1), u16(6), Array(8).fill(0), u16(0x86dd), V6)],
    ['loopback, this byte order', 0, join([10, 0, 0, 0], V6)],
    ['loopback, the other', 0, join([0, 0, 0, 30], V6)],
    ['loopback of FreeBSD', 0, join([28, 0, 0, 0], V6)],
    ['OpenBSD loopback', 108, join([0, 0, 0, 24], V6)],
  ])('%s', (_name, linkType, bytes) => {
    expectDiscovery(packetOf(linkType, bytes));
  });

  test.each<[string, number, Uint8Array]>([
    ['Ethernet', 1, ethernet(V4)],
    ['raw IPv4', 228, V4],
    ['loopback', 0, join([0, 0, 0, 2], V4)],
    ['Linux cooked', 113, join(Array(14).fill(0), u16(0x0800), V4)],
  ])('%s with IPv4', (_name, linkType, bytes) => {
    expectDiscovery(packetOf(linkType, bytes), '192.0.2.2');
  });

  test('Linux cooked, version 2, tells the number of the interface', () => {
    const packet = packetOf(276, join(u16(0x86dd), u16(0), u32(3), Array(12).fill(0), V6));
    expectDiscovery(packet);
    expect(packet).toMatchObject({ place: { interface: '#3' } });
  });

  test('VLAN tags', () => {
    expect(packetOf(1, ethernet(V6, [0x2005]))).toMatchObject({ kind: 'udp', place: { vlan: 5 } });
    const double = packetOf(1, ethernet(V6, [7, 0xe008]));
    expectDiscovery(double);
    expect(double).toMatchObject({ place: { vlan: 8 } });
    expect(packetOf(1, ethernet(V6, [1, 2, 3, 4, 5]))).toEqual({ kind: 'other' });
  });

  test('what is not IP, and what is too short, is other traffic', () => {
    const arp = join(Array(12).fill(255), u16(0x0806), Array(28).fill(0));
    expect(packetOf(1, arp)).toEqual({ kind: 'other' });
    expect(packetOf(0, join([0, 0, 0, 7], V6))).toEqual({ kind: 'other' });
    for (const linkType of [0, 1, 101, 113, 276])
      expect(packetOf(linkType, new Uint8Array(0)).kind).toBe('other');
    expect(packetOf(1, ethernet(V6).subarray(0, 14))).toEqual({ kind: 'other' });
  });

  test('a link type nobody here knows is said once', () => {
    const file = pcap([{ bytes: V6 }, { bytes: V6 }], { linkType: 147 });
    const tracked = track(readFile(file).packets);
    expect(tracked.seen).toEqual([
      { kind: 'trouble', place: undefined, reason: 'link.unknown-type', count: undefined, linkType: 147 },
    ]);
    expect(tracked.counts).toMatchObject({ packets: 2, graspPackets: 0 });
  });
});

describe('IP', () => {
  const UDP = udp(40_000, 7017, DISCOVERY);
  const eight = [0, 0, 0, 0, 0, 0, 0];
  test('IPv6 extension headers', () => {
    const extensions = [
      { type: 0, rest: eight },
      { type: 43, rest: [1, ...eight, ...eight] },
      { type: 51, rest: [1, ...Array<number>(10).fill(0)] },
      { type: 60, rest: eight },
    ];
    // Lengths in units of 8, of 4 for the authentication header.
    extensions[1]!.rest = [1, ...Array<number>(14).fill(0)];
    expectDiscovery(packetOf(101, ip(FE80_B, 'ff02::13', 17, UDP, { extensions })));
  });

  test('an atomic fragment is whole (RFC 6946)', () => {
    const fragment = { offset: 0, more: false, id: 9 };
    expectDiscovery(packetOf(101, ip(FE80_B, 'ff02::13', 17, UDP, { fragment })));
  });

  test('IPv4 options', () => {
    const packet = ip('192.0.2.2', '224.0.0.119', 17, UDP, { options: [0x94, 4, 0, 0] });
    expectDiscovery(packetOf(101, packet), '192.0.2.2');
  });

  test('padding behind the packet is no part of it', () => {
    expectDiscovery(packetOf(1, join(ethernet(V6), Array(10).fill(0))));
    expectDiscovery(packetOf(1, join(ethernet(V4), Array(10).fill(0))), '192.0.2.2');
  });

  test('lengths of 0, left to the network card', () => {
    const v6 = Uint8Array.from(V6);
    v6.set([0, 0], 4);
    expectDiscovery(packetOf(101, v6));
    const v4 = Uint8Array.from(V4);
    v4.set([0, 0], 2);
    expectDiscovery(packetOf(101, v4), '192.0.2.2');
  });

  test('headers that cannot be are unreadable', () => {
    const cases: Uint8Array[] = [
      Uint8Array.of(0x50, 0, 0, 0),
      V6.subarray(0, 39),
      V4.subarray(0, 19),
      join([0x44], V4.subarray(1)),
      V6.subarray(0, 45),
      ip(FE80_B, 'ff02::13', 17, new Uint8Array(0), {
        extensions: [{ type: 0, rest: [99, 0, 0, 0, 0, 0, 0] }],
      }),
      ip(FE80_B, 'ff02::13', 17, join(u16(1), u16(2), u16(7), u16(0))),
      ip(FE80_B, 'ff02::13', 17, join(u16(1), u16(2), u16(99), u16(0))),
      ip(FE80_B, 'fd00::1', 6, tcp(1, 2, new Uint8Array(0)).subarray(0, 19)),
      ip(
        FE80_B,
        'fd00::1',
        6,
        join(tcp(1, 2, new Uint8Array(0)).subarray(0, 12), [0x40, 0, 0, 0, 0, 0, 0, 0]),
      ),
    ];
    for (const bytes of cases) expect(packetOf(101, bytes)).toEqual({ kind: 'unreadable' });
  });

  test('neither UDP nor TCP is other traffic', () => {
    expect(packetOf(101, ip(FE80_B, 'ff02::1', 58, new Uint8Array(8)))).toEqual({ kind: 'other' });
  });
});

describe('what was not captured whole', () => {
  test('a datagram says how much is missing', () => {
    const frame = discoveryFrame();
    const cut = { bytes: frame.subarray(0, -5), length: frame.length };
    const tracked = track(readFile(pcap([cut])).packets);
    expect(short(tracked)).toEqual(['#1 fe80::b udp.cut 5']);
    expect(tracked.counts).toMatchObject({ graspPackets: 1, messages: 0, refused: 0 });
  });

  test.each([
    [FE80_B, 'ff02::13'],
    ['192.0.2.2', '224.0.0.119'],
  ])('fragments of GRASP from %s are said once, others are counted', (source, group) => {
    const whole = udp(40_000, 7017, new Uint8Array(64));
    const other = udp(5353, 5353, new Uint8Array(64));
    const pieces = (bytes: Uint8Array, id: number): Uint8Array[] => [
      ip(source, group, 17, bytes.subarray(0, 32), { fragment: { offset: 0, more: true, id } }),
      ip(source, group, 17, bytes.subarray(32), { fragment: { offset: 32, more: false, id } }),
    ];
    const frames = [...pieces(whole, 1), ...pieces(other, 2)].map((bytes) => ({ bytes: ethernet(bytes) }));
    const tracked = track(readFile(pcap(frames)).packets);
    expect(short(tracked)).toEqual([`#1 ${source} ip.fragment 32`]);
    expect(tracked.counts).toMatchObject({ packets: 4, graspPackets: 2, fragments: 4 });
  });
});
