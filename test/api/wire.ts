/** What engines say on the simulated network, and nodes without an engine; bytes by an independent CBOR library. */
import { decode, decodeFirst, encode } from 'cborg';
import ipaddr from 'ipaddr.js';
import { inlinePair, type SimulatedClock } from '../../src/runtime/index.js';
import {
  openSimulatedSubstrate,
  type SimulatedNetwork,
  type SimulatedNode,
} from '../../src/substrate/simulated/index.js';
import type { PortPair, Stream, StreamListener, Substrate, Target } from '../../src/substrate/types.js';

/** A message as it was sent. */
export interface Said {
  readonly link: string;
  readonly node: string;
  readonly kind: 'datagram' | 'stream';
  readonly message: unknown[];
  readonly bytes: Uint8Array;
}

/** Notes every message on the network from now on. */
export class Wire {
  readonly said: Said[] = [];

  constructor(network: SimulatedNetwork) {
    network.onTraffic(({ link, node, kind, bytes }) => {
      if (bytes.length === 0) return;
      let rest = Uint8Array.from(bytes);
      while (rest.length > 0) {
        const [message, after] = itemOf(rest);
        const length = rest.length - after.length;
        this.said.push({ link, node, kind, message, bytes: rest.slice(0, length) });
        rest = after.slice();
      }
    });
  }

  /** Messages of one type: 1 M_DISCOVERY, 2 M_RESPONSE, 4 M_REQ_SYN, 8 M_SYNCH, 9 M_FLOOD … */
  of(type: number): Said[] {
    return this.said.filter(({ message }) => message[0] === type);
  }

  forget(): void {
    this.said.length = 0;
  }
}

/** The first item of the bytes; all of them, and no message, if there is none: some peers talk nonsense on purpose. */
function itemOf(bytes: Uint8Array): [unknown[], Uint8Array] {
  try {
    return decodeFirst(bytes, { useMaps: true, tags: TAGS }) as [unknown[], Uint8Array];
  } catch {
    return [[], new Uint8Array()];
  }
}

/** Tag 24 is kept apart, so that a wrapped value is seen as one. */
export class Wrapped {
  constructor(readonly bytes: Uint8Array) {}
}
const TAGS = {
  2: (content: () => unknown) => BigInt(`0x${Buffer.from(content() as Uint8Array).toString('hex')}`),
  24: (content: () => unknown) => new Wrapped(content() as Uint8Array),
};

/** The bytes of an address, as they stand in a locator or initiator field. */
export function addressBytes(address: string): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray());
}

/** A node that says exactly what a test wants. */
export class Stranger {
  /** Discoveries and floods it heard, with their link. */
  readonly heard: { readonly link: string; readonly message: unknown[]; readonly from: Target }[] = [];
  readonly #pairs = new Map<string, PortPair>();
  readonly #listeners: StreamListener[] = [];

  private constructor(
    readonly node: SimulatedNode,
    readonly substrate: Substrate,
  ) {}

  static async open(
    network: SimulatedNetwork,
    clock: SimulatedClock,
    name: string,
    links: readonly string[],
  ): Promise<Stranger> {
    const node = network.addNode(name, { links });
    const [theirs, ours] = inlinePair(clock, { clone: true });
    node.connectPort(theirs);
    const stranger = new Stranger(node, await openSimulatedSubstrate(ours, { clock }));
    for (const { name: link } of stranger.substrate.environment.interfaces) {
      stranger.#pairs.set(
        link,
        await stranger.substrate.openPair(link, {
          onStream: (stream) => {
            if (stranger.onStream) stranger.onStream(stream);
            else if (stranger.takesAnswers) stranger.#serve(stream, () => 'close');
            else stream.abort();
          },
          onLost: () => undefined,
        }),
      );
      await stranger.substrate.openReceiver(
        link,
        ({ bytes, address, port }) => {
          const message = decode(Uint8Array.from(bytes)) as unknown[];
          stranger.heard.push({ link, message, from: { address, port, interface: link } });
          stranger.onHeard?.(message, { address, port, interface: link });
        },
        () => undefined,
      );
    }
    return stranger;
  }

  /** Streams to the port of its multicasts are read to their end; else reset. */
  takesAnswers = false;
  /** Takes the streams that come to the ports of its multicasts; default: they are reset. */
  onStream: ((stream: Stream) => void) | undefined;

  /** Called for each multicast. */
  onHeard: ((message: unknown[], from: Target) => void) | undefined;

  get address(): string {
    return this.substrate.environment.interfaces[0]!.addresses[0]!;
  }

  /** Sends one multicast; bytes as they are. */
  async multicast(message: unknown, link: string): Promise<void> {
    const bytes = message instanceof Uint8Array ? message : encode(message);
    await this.#pairs.get(link)!.sendMulticast(bytes);
  }

  /** Accepts streams; the handler gets each message and answers with messages, or ends the stream. */
  async listen(
    answer: (message: unknown[]) => readonly unknown[] | 'close' | 'reset' | 'silence',
  ): Promise<number> {
    const listener = await this.substrate.listen({}, (stream) => this.#serve(stream, answer));
    this.#listeners.push(listener);
    return listener.port;
  }

  /** Answers a multicast over a stream of its own. */
  async respond(to: Target, message: unknown): Promise<void> {
    const stream = await this.substrate.connect(to, { timeoutMs: 1_000 });
    stream.setHandlers({ onData: () => undefined, onEnd: () => undefined, onClose: () => undefined });
    stream.write(encode(message));
    stream.end();
  }

  /** Whoever awaits it lets the clock run; two at once would each take the other's turns for the last. */
  close(): Promise<void> {
    return this.substrate.close();
  }

  #serve(
    stream: Stream,
    answer: (message: unknown[]) => readonly unknown[] | 'close' | 'reset' | 'silence',
  ): void {
    let buffer = new Uint8Array();
    stream.setHandlers({
      onData: (bytes) => {
        buffer = Uint8Array.from([...buffer, ...bytes]);
        while (buffer.length > 0) {
          const [message, rest] = decodeFirst(buffer) as [unknown[], Uint8Array];
          buffer = rest.slice();
          const said = answer(message);
          if (said === 'silence') continue;
          if (said === 'reset') return stream.abort();
          if (said !== 'close') {
            for (const each of said) stream.write(each instanceof Uint8Array ? each : encode(each));
          }
          stream.end();
        }
      },
      onEnd: () => stream.end(),
      onClose: () => undefined,
    });
  }
}
