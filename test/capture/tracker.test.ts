import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  FD00_A,
  FD00_B,
  FE80_A,
  FE80_B,
  SESSION,
  Talk,
  cbor,
  discoveryFrame,
  ethernet,
  ip,
  join,
  pcap,
  say,
  udp,
} from './build.js';
import { readFile, short, track, trackFrames } from './read.js';

const A = { address: FD00_A, port: 41_000 };
const B = { address: FD00_B, port: 50_000 };
/** What the discovery came from. */
const ASKER = { address: FE80_B, port: 40_000 };

const floodFrame = (locator: unknown): Uint8Array =>
  ethernet(ip(FE80_A, 'ff02::13', 17, udp(39_000, 7017, say.flood(locator))));

/** A discovery and its answer by TCP: the locator is A's. */
function discovered(...options: unknown[]): Uint8Array[] {
  const answer = new Talk({ address: FE80_A, port: 39_999 }, ASKER).open();
  answer.says('client', say.response(...(options.length > 0 ? options : [say.locator(A.address, A.port)])));
  answer.closes('client', 'server');
  return [discoveryFrame(), ...answer.frames];
}

/** Numbers of packets are of no interest here. */
function heard(frames: readonly Uint8Array[], ports?: readonly number[]): string[] {
  return short(trackFrames(frames, ports)).map((line) => line.replace(/^#\d+ /, ''));
}

describe('where GRASP is found', () => {
  test('a discovery, its answer, and the negotiation on the port of the locator', () => {
    const talk = new Talk(B, A).open().says('client', say.request()).says('server', say.wait(), say.step());
    talk.says('client', say.accept()).closes('client', 'server');
    const tracked = trackFrames([...discovered(), ...talk.frames]);
    expect(short(tracked)).toEqual([
      '#1 fe80::b M_DISCOVERY',
      '#5 fe80::a M_RESPONSE',
      '#11 fd00::b M_REQ_NEG',
      '#12 fd00::a M_WAIT',
      '#13 fd00::a M_NEGOTIATE',
      '#14 fd00::b M_END',
    ]);
    expect(tracked.seen.map((seen) => seen.kind === 'message' && seen.found)).toEqual([
      'port',
      'discovery',
      'locator',
      'locator',
      'locator',
      'locator',
    ]);
    expect(tracked.counts).toEqual({
      packets: 16,
      messages: 6,
      refused: 0,
      graspPackets: 16,
      unreadable: 0,
      fragments: 0,
      retransmitted: 0,
      outOfOrder: 0,
    });
  });

  test('a Divert leads there too, where a locator is known even bytes that are no message are told', () => {
    const talk = new Talk(B, A).open().says('client', Uint8Array.of(0xff));
    const frames = [...discovered([100, say.locator(A.address, A.port)]), ...talk.frames];
    expect(heard(frames).slice(2)).toEqual(['fd00::b refused cbor.break']);
  });

  test('a flooded locator is a hint: a service that is not GRASP is passed over', () => {
    const locator = say.locator(A.address, A.port);
    const web = new Talk(B, A).open().says('client', Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    expect(heard([floodFrame(locator), ...web.frames])).toEqual(['fe80::a M_FLOOD']);
    const tls = new Talk(B, A).open().says('client', Uint8Array.of(0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0));
    expect(heard([floodFrame(locator), ...tls.frames])).toEqual(['fe80::a M_FLOOD']);
    // Known by its type, though not valid.
    const grasp = new Talk(B, A).open().says('client', cbor([3, SESSION, 'EX3']));
    expect(heard([floodFrame(locator), ...grasp.frames])).toEqual([
      'fe80::a M_FLOOD',
      'fd00::b refused objective.shape',
    ]);
    expect(heard(grasp.frames)).toEqual([]);
  });

  test('a name leads to its port at any address', () => {
    const grasp = new Talk(B, A).open().says('client', cbor([3, SESSION, 'EX3']));
    expect(heard([floodFrame([105, 'a.example', 6, A.port]), ...grasp.frames])).toHaveLength(2);
  });

  test('a UDP locator: only valid messages are shown', () => {
    const to = (bytes: Uint8Array): Uint8Array => ethernet(ip(FD00_B, FD00_A, 17, udp(500, 500, bytes)));
    const locator = say.locator(A.address, 500, 17);
    const frames = [floodFrame(locator), to(Buffer.from('IKE')), to(say.request())];
    expect(heard(frames)).toEqual(['fe80::a M_FLOOD', 'fd00::b M_REQ_NEG']);
  });

  test('nothing pointed to it, but it begins with a valid request', () => {
    const talk = new Talk(B, A).open().says('client', say.request()).says('server', say.step());
    const tracked = trackFrames(talk.frames);
    expect(short(tracked)).toEqual(['#4 fd00::b M_REQ_NEG', '#5 fd00::a M_NEGOTIATE']);
    expect(tracked.seen[0]).toMatchObject({ found: 'content' });
    // In two segments, too.
    const [one, two] = [say.request().subarray(0, 5), say.request().subarray(5)];
    expect(heard(new Talk(B, A).open().says('client', one, two).frames)).toEqual(['fd00::b M_REQ_NEG']);
    // M_NOOP and M_WAIT are too short to be sure.
    expect(heard(new Talk(B, A).open().says('client', cbor([0])).frames)).toEqual([]);
  });

  test('a link-local locator is one of its link only', () => {
    const tagged = (frame: Uint8Array): Uint8Array =>
      join(frame.subarray(0, 12), [0x81, 0, 0, 5], frame.subarray(12));
    const there = { address: FE80_A, port: A.port };
    const talk = new Talk({ address: FE80_B, port: 50_000 }, there)
      .open()
      .says('client', Uint8Array.of(0xff));
    const known = discovered(say.locator(FE80_A, A.port));
    expect(heard([...known, ...talk.frames])).toHaveLength(3);
    expect(heard([...known, ...talk.frames.map(tagged)])).toHaveLength(2);
  });

  test('port 7017 by TCP, and a port that was named', () => {
    const talk = (port: number): Talk =>
      new Talk(B, { address: FD00_A, port })
        .open()
        .says('client', say.discovery())
        .says('server', Uint8Array.of(0xff));
    const both = ['fd00::b M_DISCOVERY', 'fd00::a refused cbor.break'];
    expect(heard(talk(7017).frames)).toEqual(both);
    expect(heard(talk(7018).frames)).toEqual([]);
    expect(heard(talk(7018).frames, [7018])).toEqual(both);
  });
});

describe('what is wrong with a message', () => {
  const toGroup = (bytes: Uint8Array): Uint8Array =>
    ethernet(ip(FE80_B, 'ff02::13', 17, udp(40_000, 7017, bytes)));
  test.each<[string, Uint8Array, string]>([
    ['an empty datagram', new Uint8Array(0), 'refused cbor.empty'],
    ['a truncated item', say.discovery().subarray(0, -1), 'refused cbor.truncated'],
    ['two messages', join(say.discovery(), say.discovery()), 'refused cbor.trailing-bytes'],
    ['a number without a meaning', cbor([42, 1]), 'refused message.unknown-type'],
    ['no objective', cbor([1, SESSION, new Uint8Array(16)]), 'refused message.arity'],
    ['a message that does not belong into a multicast', say.step(), 'M_NEGOTIATE message.misplaced'],
    ['one that does not, and is not valid either', cbor([5, SESSION, 'EX3']), 'refused objective.shape'],
  ])('%s', (_name, bytes, what) => {
    const tracked = trackFrames([toGroup(bytes)]);
    expect(short(tracked)).toEqual([`#1 fe80::b ${what}`]);
    expect(tracked.counts).toMatchObject({ messages: 0, refused: 1, graspPackets: 1 });
  });

  test('what does not belong somewhere teaches nothing', () => {
    // An M_RESPONSE by multicast.
    const frames = [toGroup(say.response(say.locator(A.address, A.port)))];
    frames.push(...new Talk(B, A).open().says('client', Uint8Array.of(0xff)).frames);
    expect(heard(frames)).toEqual(['fe80::b M_RESPONSE message.misplaced']);
  });

  test('an M_RESPONSE from port 7017 by UDP is shown as misplaced', () => {
    const bytes = say.response(say.locator(A.address, A.port));
    expect(heard([ethernet(ip(FE80_A, FE80_B, 17, udp(7017, 40_000, bytes)))])).toEqual([
      'fe80::a M_RESPONSE message.misplaced',
    ]);
  });

  test('behind malformed bytes the next segment that begins with a message is found', () => {
    const junk = join(say.step(), [0xff, 1, 2]);
    const talk = new Talk(B, A)
      .open()
      .says('client', say.request())
      .says('server', junk, Uint8Array.of(7, 7), say.step());
    expect(heard([...discovered(), ...talk.frames]).slice(2)).toEqual([
      'fd00::b M_REQ_NEG',
      'fd00::a M_NEGOTIATE',
      'fd00::a refused cbor.break',
      'fd00::a tcp.passed-over 2',
      'fd00::a M_NEGOTIATE',
    ]);
  });
});

describe('TCP', () => {
  const known = discovered();
  const after = (talk: Talk | readonly Uint8Array[]): string[] =>
    heard([...known, ...(talk instanceof Talk ? talk.frames : talk)]).slice(2);

  test('sequence numbers wrap, segments are of any size, several messages are in one', () => {
    const bytes = join(say.wait(), say.step([1, 2, 3]), say.wait());
    const talk = new Talk(B, A).open().says('server', ...[...bytes].map((byte) => Uint8Array.of(byte)));
    expect(after(talk)).toEqual(['fd00::a M_WAIT', 'fd00::a M_NEGOTIATE', 'fd00::a M_WAIT']);
  });

  test('missing bytes are said, with what they make unreadable', () => {
    const long = say.step('x'.repeat(50));
    const talk = new Talk(B, A).open().says('client', say.request());
    talk
      .says('server', long.subarray(0, 20))
      .loses('server', 10)
      .says('server', long.subarray(30), say.step());
    talk.acknowledges('client').closes('server', 'client');
    expect(after(talk)).toEqual([
      'fd00::b M_REQ_NEG',
      'fd00::a tcp.missing 10',
      'fd00::a tcp.passed-over 20',
      `fd00::a tcp.passed-over ${long.length - 30}`,
      'fd00::a M_NEGOTIATE',
    ]);
  });

  test('bytes missing at the very end', () => {
    const talk = new Talk(B, A)
      .open()
      .says('client', say.request())
      .loses('client', 7)
      .closes('client', 'server');
    expect(after(talk)).toEqual(['fd00::b M_REQ_NEG', 'fd00::b tcp.missing 7']);
  });

  test('a segment that was captured in part', () => {
    const talk = new Talk(B, A).open().says('client', say.request(), say.accept());
    const frames = [...known, ...talk.frames];
    const records = frames.map((bytes, i) => ({
      bytes: i === frames.length - 2 ? bytes.subarray(0, -3) : bytes,
      length: bytes.length,
    }));
    expect(short(track(readFile(pcap(records)).packets)).slice(2)).toEqual([
      '#11 fd00::b tcp.missing 3',
      `#11 fd00::b tcp.passed-over ${say.request().length - 3}`,
      '#12 fd00::b M_END',
    ]);
  });

  test('a stream that ends inside a message, by FIN, by reset, by the end of the capture', () => {
    const talk = (): Talk => new Talk(B, A).open().says('client', say.request().subarray(0, 9));
    expect(after(talk())).toEqual(['fd00::b tcp.cut 9']);
    expect(after(talk().closes('client', 'server'))).toEqual(['fd00::b tcp.cut 9']);
    expect(after(talk().resets('server'))).toEqual(['fd00::b tcp.cut 9', 'fd00::a tcp.reset']);
  });

  test('a connection that is refused where GRASP should be', () => {
    const talk = new Talk(B, A);
    const syn = talk.frame('client', new Uint8Array(0), { sequence: 1, flags: 'S' });
    const rst = talk.frame('server', new Uint8Array(0), { acknowledgement: 2, flags: 'RA' });
    expect(after([syn, rst])).toEqual(['fd00::a tcp.reset']);
    expect(heard([syn, rst])).toEqual([]);
  });

  test('the beginning was not captured', () => {
    const talk = new Talk(B, A)
      .open()
      .says('client', say.request())
      .says('server', say.step())
      .says('client', say.accept());
    expect(after(talk.frames.slice(4))).toEqual(['fd00::a M_NEGOTIATE', 'fd00::b M_END']);
    // Not even of the message: what is left of it belongs to none.
    const cut = new Talk(B, A)
      .open()
      .says('client', say.request().subarray(0, 4), say.request().subarray(4), say.accept());
    expect(after(cut.frames.slice(4))).toEqual([
      `fd00::b tcp.passed-over ${say.request().length - 4}`,
      'fd00::b M_END',
    ]);
  });

  test('the ports are used again', () => {
    const once = (first: number): Uint8Array[] => {
      const talk = new Talk(B, A).loses('client', first).open().says('client', say.request());
      return talk.closes('client', 'server').frames;
    };
    expect(after([...once(0), ...once(77_777)])).toEqual(['fd00::b M_REQ_NEG', 'fd00::b M_REQ_NEG']);
    const left = new Talk(B, A).open().says('client', say.request());
    expect(after([...left.frames, ...once(77_777)])).toEqual(['fd00::b M_REQ_NEG', 'fd00::b M_REQ_NEG']);
  });

  test('TLS is said and not tried', () => {
    const talk = new Talk(B, A).open().says('client', Uint8Array.of(0x16, 3, 1, 0, 5), Uint8Array.of(1, 2));
    expect(after(talk)).toEqual(['fd00::b tcp.encrypted']);
  });

  test('however it is cut, repeated and reordered, the messages are the same', () => {
    const messages = [say.wait(), say.step('é'.repeat(30)), say.step([1, 2]), say.wait(1), say.accept()];
    const bytes = join(...messages);
    const expected = ['M_WAIT', 'M_NEGOTIATE', 'M_NEGOTIATE', 'M_WAIT', 'M_END'].map(
      (type) => `fd00::a ${type}`,
    );
    const segment = fc.record({ from: fc.nat(bytes.length - 1), length: fc.integer({ min: 1, max: 60 }) });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 12 }),
        fc.array(segment, { maxLength: 8 }),
        fc.infiniteStream(fc.nat(0xffff)),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        (cuts, repeated, order, first) => {
          const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
          const pieces = at.slice(1).map((to, i) => ({ from: at[i]!, to }));
          pieces.push(
            ...repeated.map(({ from, length }) => ({ from, to: Math.min(from + length, bytes.length) })),
          );
          const shuffled = pieces
            .map((piece) => ({ piece, key: Number(order.next().value) }))
            .sort((a, b) => a.key - b.key);
          const talk = new Talk(B, A);
          const frames = [
            talk.frame('client', new Uint8Array(0), { sequence: 1, flags: 'S' }),
            talk.frame('server', new Uint8Array(0), { sequence: first, acknowledgement: 2, flags: 'SA' }),
            ...shuffled.map(({ piece: { from, to } }) =>
              talk.frame('server', bytes.subarray(from, to), { sequence: (first + 1 + from) >>> 0 }),
            ),
          ];
          expect(after(frames)).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('retransmissions and segments out of order are counted', () => {
    const talk = new Talk(B, A).open().says('client', say.request(), say.accept());
    const [syn, synAck, ack, one, two] = talk.frames as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const { counts } = trackFrames([...known, syn, synAck, ack, two, one, one, two]);
    expect(counts).toMatchObject({ messages: 4, outOfOrder: 1, retransmitted: 2 });
  });
});

test('other traffic is counted and not shown', () => {
  const dns = ethernet(ip(FD00_B, FD00_A, 17, udp(5353, 53, Buffer.from('query'))));
  const ping = ethernet(ip(FD00_B, FD00_A, 58, new Uint8Array(8)));
  const ssh = new Talk(B, { address: FD00_A, port: 22 }).open().says('server', Buffer.from('SSH-2.0-x\r\n'));
  const tracked = trackFrames([dns, ping, ...ssh.frames, Uint8Array.of(1, 2, 3)]);
  expect(tracked.seen).toEqual([]);
  expect(tracked.counts).toMatchObject({ packets: 7, graspPackets: 0, messages: 0, refused: 0 });
});
