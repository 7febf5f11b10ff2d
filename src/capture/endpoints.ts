/**
 * Where GRASP is to be expected besides its own port: what the messages seen so far say of addresses and ports. How
 * much they say differs: a locator of an M_RESPONSE is where a GRASP node listens, and so is the port a discovery
 * came from; a flooded locator may be of any service (RFC 8994 §6.4, RFC 8995 §4).
 */
import {
  IPPROTO_UDP,
  O_FQDN_LOCATOR,
  O_URI_LOCATOR,
  type Message,
  type WireLocator,
} from '../protocol/index.js';
import { endpointKey, type Place } from './packet.js';

/** How a conversation was found to be GRASP's. */
export type Found =
  /** By port 7017, or one that was named. */
  | 'port'
  /** By a locator of an M_RESPONSE, of the responder or in a Divert. */
  | 'locator'
  /** The connection goes to where a discovery came from. */
  | 'discovery'
  /** By a locator in an M_FLOOD, or a name or UDP locator: it is GRASP if what is said there is. */
  | 'hint'
  /** Nothing pointed to it, but its first message is a valid one. */
  | 'content';

/** Further places are learnt in place of the oldest: anybody may flood. */
const MAX_PLACES = 65_536;

interface Known {
  locator: boolean;
  discovery: boolean;
}

export class GraspEndpoints {
  readonly #ports: ReadonlySet<number>;
  /** TCP, by endpoint key. */
  readonly #places = new Map<string, Known>();
  /** Hints: by endpoint key with the protocol, or by port where the locator has a name. */
  readonly #hints = new Map<string, true>();

  constructor(ports: ReadonlySet<number>) {
    this.#ports = ports;
  }

  isGraspPort(port: number): boolean {
    return this.#ports.has(port);
  }

  /** Learns from a valid message. */
  learn(message: Message, place: Place): void {
    if (message.type === 1 && place.transport === 'udp') {
      this.#place(place.source.key).discovery = true;
    } else if (message.type === 2) {
      for (const locator of [...message.locators, ...(message.divert ?? [])]) {
        if (locator.type === O_FQDN_LOCATOR || locator.type === O_URI_LOCATOR) this.#hint(locator, place);
        else if (locator.protocol === IPPROTO_UDP) this.#hint(locator, place);
        else if (locator.port !== null)
          this.#place(endpointKey(locator.address, locator.port, place)).locator = true;
      }
    } else if (message.type === 9) {
      for (const { locator } of message.objectives) if (locator) this.#hint(locator, place);
    }
  }

  /** What is known of the TCP endpoint that a connection goes to, the strongest first. */
  tcp(key: string, port: number): { readonly found: Found; readonly known: Known | undefined } | undefined {
    const known = this.#places.get(key);
    if (this.#ports.has(port)) return { found: 'port', known };
    if (known) return { found: known.locator ? 'locator' : 'discovery', known };
    return this.#isHint('tcp', key, port) ? { found: 'hint', known } : undefined;
  }

  /** Whether a UDP locator named this endpoint. */
  udp(key: string, port: number): boolean {
    return this.#isHint('udp', key, port);
  }

  #isHint(transport: string, key: string, port: number): boolean {
    return this.#hints.has(`${transport} ${key}`) || this.#hints.has(`${transport} :${port}`);
  }

  #place(key: string): Known {
    const known = this.#places.get(key) ?? { locator: false, discovery: false };
    remember(this.#places, key, known);
    return known;
  }

  #hint(locator: WireLocator, place: Place): void {
    if (locator.port === null) return;
    const transport = locator.protocol === IPPROTO_UDP ? 'udp' : 'tcp';
    const isName = locator.type === O_FQDN_LOCATOR || locator.type === O_URI_LOCATOR;
    const where = isName ? `:${locator.port}` : endpointKey(locator.address, locator.port, place);
    remember(this.#hints, `${transport} ${where}`, true);
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MAX_PLACES) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
