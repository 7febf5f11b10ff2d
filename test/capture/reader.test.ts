import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { START, Pcapng, discoveryFrame, join, pcap, timed } from './build.js';
import { dataFile } from './data.js';
import { readFile, short, track } from './read.js';

const FRAME = discoveryFrame();
const TIME = START + 123_456_789n;

describe('pcap', () => {
  test.each([
    [true, false, TIME - 789n],
    [false, false, TIME - 789n],
    [true, true, TIME],
    [false, true, TIME],
  ])('little-endian %s, ns %s', (littleEndian, nanoseconds, time) => {
    const file = pcap([{ bytes: FRAME, time: TIME }], { littleEndian, nanoseconds });
    const { packets, broken } = readFile(file);
    expect(broken).toBeUndefined();
    expect(packets).toEqual([
      { number: 1, offset: 24, time, linkType: 1, interface: undefined, bytes: FRAME, length: FRAME.length },
    ]);
  });

  test('a packet of which less was captured keeps its length', () => {
    const { packets } = readFile(pcap([{ bytes: FRAME.subarray(0, 60), length: 99 }]));
    expect(packets[0]).toMatchObject({ length: 99 });
    expect(packets[0]!.bytes).toHaveLength(60);
  });

  test('a file without packets is whole', () => {
    expect(readFile(pcap([]))).toEqual({ packets: [], broken: undefined });
  });
});

describe('pcapng', () => {
  const NAME = Buffer.from('l1');

  test.each([true, false])('interfaces with names and resolutions, little-endian %s', (littleEndian) => {
    const file = new Pcapng(littleEndian)
      .interface(1, [[2, NAME]])
      .interface(101, [[9, [9]]])
      .interface(1, [[9, [0x80 | 10]]])
      .block(0x0bad, [1, 2, 3]) // of a kind nobody knows
      .packet(0, TIME / 1000n, FRAME)
      .packet(1, TIME, FRAME.subarray(14), 99)
      .packet(2, 1024n + 512n, FRAME);
    const { packets, broken } = readFile(file.bytes);
    expect(broken).toBeUndefined();
    expect(packets.map(({ time, linkType, interface: name }) => [time, linkType, name])).toEqual([
      [TIME - 789n, 1, 'l1'],
      [TIME, 101, undefined],
      [1_500_000_000n, 1, undefined],
    ]);
    expect(packets[0]!.bytes).toEqual(FRAME);
    expect(packets[1]!.length).toBe(99);
  });

  test('an offset of the time, simple and obsolete packet blocks', () => {
    const file = new Pcapng().interface(1, [[14, [5, 0, 0, 0, 0, 0, 0, 0]]]).packet(0, 1n, FRAME);
    file.block(3, join(file.n32(FRAME.length), FRAME));
    const lengths = [...file.n32(FRAME.length), ...file.n32(FRAME.length)];
    file.block(2, join([0, 0, 7, 0], file.n32(0), file.n32(2), lengths, FRAME));
    const { packets, broken } = readFile(file.bytes);
    expect(broken).toBeUndefined();
    expect(packets.map(({ time }) => time)).toEqual([5_000_001_000n, undefined, 5_000_002_000n]);
    for (const { bytes } of packets) expect(bytes).toEqual(FRAME);
  });

  test('a further section has its own byte order and interfaces', () => {
    const one = new Pcapng(true).interface(1, [[2, NAME]]).packet(0, 1n, FRAME);
    const two = new Pcapng(false).interface(101).packet(0, 2n, FRAME.subarray(14));
    const { packets, broken } = readFile(join(one.bytes, two.bytes));
    expect(broken).toBeUndefined();
    expect(packets.map(({ linkType, interface: name }) => [linkType, name])).toEqual([
      [1, 'l1'],
      [101, undefined],
    ]);
  });
});

describe('broken files are told with reason and offset, and what was before is read', () => {
  const good = pcap(timed([FRAME, FRAME]));
  const at2 = 24 + 16 + FRAME.length;
  const changed = (file: Uint8Array, offset: number, ...bytes: number[]): Uint8Array => {
    const copy = Uint8Array.from(file);
    copy.set(bytes, offset);
    return copy;
  };
  const ng = new Pcapng().interface(1).packet(0, 1n, FRAME);
  const ngAt = 28 + 12 + 12;
  test.each<[string, Uint8Array, number, string, number]>([
    ['nothing', new Uint8Array(0), 0, 'file.empty', 0],
    ['two bytes', good.subarray(0, 2), 0, 'file.truncated', 0],
    ['half a header', good.subarray(0, 20), 0, 'file.truncated', 0],
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 0, 'file.unknown-format', 0],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0, 0), 0, 'file.compressed', 0],
    ['zstd', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0), 0, 'file.compressed', 0],
    ['pcap 3.4', changed(good, 4, 3), 0, 'pcap.version', 0],
    ['a cut record', good.subarray(0, -1), 1, 'file.truncated', at2],
    ['a record of 2 GiB', changed(good, at2 + 8, 0, 0, 0, 0x80), 1, 'pcap.record-length', at2],
    ['no byte order', changed(ng.bytes, 8, 0), 0, 'pcapng.byte-order', 0],
    ['pcapng 2.0', changed(ng.bytes, 12, 2), 0, 'pcapng.version', 0],
    ['a block of 8 bytes', changed(ng.bytes, ngAt + 4, 8, 0), 0, 'pcapng.block-length', ngAt],
    ['a block of odd length', changed(ng.bytes, ngAt + 4, 33, 0), 0, 'pcapng.block-length', ngAt],
    [
      'a packet block of 12',
      join(ng.bytes, [6, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0]),
      1,
      'pcapng.block-length',
      ng.bytes.length,
    ],
    ['another length behind', changed(ng.bytes, ng.bytes.length - 4, 0), 0, 'pcapng.block-trailer', ngAt],
    ['no such interface', changed(ng.bytes, ngAt + 8, 1), 0, 'pcapng.interface', ngAt],
    ['a packet longer than its block', changed(ng.bytes, ngAt + 20, 255), 0, 'pcapng.packet-length', ngAt],
  ])('%s', (_name, file, packets, reason, offset) => {
    const read = readFile(file);
    expect(read.broken).toEqual({ reason, offset });
    expect(read.packets).toHaveLength(packets);
  });
});

describe.each(['two-nodes.pcap', 'two-prototypes.pcap'])('%s', (name) => {
  const file = readFileSync(dataFile(name));
  const whole = readFile(file);
  const all = short(track(whole.packets));

  test('cut at every byte: what was before is read, the rest is told', () => {
    let before = -1;
    for (let length = 0; length < file.length; length++) {
      const { packets, broken } = readFile(file.subarray(0, length));
      const last = packets.at(-1);
      const end = last ? last.offset + 16 + last.bytes.length : 24;
      if (length < 24) expect(broken?.offset).toBe(0);
      else if (length === end) expect(broken).toBeUndefined();
      else expect(broken).toEqual({ reason: 'file.truncated', offset: end });
      if (packets.length === before) continue;
      before = packets.length;
      expect(packets).toEqual(whole.packets.slice(0, packets.length));
      const messages = short(track(packets)).filter((line) => / M_/.test(line));
      expect(messages).toEqual(all.slice(0, messages.length));
    }
    expect(before).toBe(whole.packets.length - 1);
  });

  test('in chunks of any size it is the same', () => {
    for (const chunk of [1, 3, 16, 1000]) expect(readFile(file, chunk)).toEqual(whole);
  });

  test('with bytes changed, removed or put in, nothing is thrown', () => {
    const edit = fc.record({
      at: fc.nat(file.length - 1),
      remove: fc.nat(20),
      insert: fc.uint8Array({ maxLength: 20 }),
    });
    fc.assert(
      fc.property(
        fc.array(edit, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 5000 }),
        (edits, chunk) => {
          let bytes: Uint8Array = file;
          for (const { at, remove, insert } of edits) {
            bytes = join(bytes.subarray(0, at), insert, bytes.subarray(at + remove));
          }
          const { packets } = readFile(bytes, chunk);
          track(packets);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('with changed packets in a whole file, nothing is thrown and every packet is counted', () => {
    const flips = fc.array(fc.tuple(fc.nat(whole.packets.length - 1), fc.nat(200), fc.nat(255)), {
      maxLength: 60,
    });
    const order = fc.shuffledSubarray(whole.packets.map((_, i) => i));
    fc.assert(
      fc.property(flips, order, (changes, which) => {
        const packets = whole.packets.map((packet) => ({ ...packet, bytes: Uint8Array.from(packet.bytes) }));
        for (const [i, at, value] of changes) {
          const { bytes } = packets[i]!;
          bytes[at % bytes.length] = value;
        }
        const { counts } = track(which.map((i) => packets[i]!));
        expect(counts.packets).toBe(which.length);
        expect(counts.graspPackets).toBeLessThanOrEqual(which.length);
      }),
      { numRuns: 300 },
    );
  });
});
