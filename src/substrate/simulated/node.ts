import type { Endpoint } from '../../runtime/endpoint.js';
import type { Environment, InterfaceInfo, Security, Target } from '../types.js';
import { SubstrateError } from '../types.js';
import { isOnSubnet, parseIpv4, type Ipv4Address } from './ipv4.js';
import type { SimulatedLink } from './link.js';
import type { NodePort } from './node-port.js';

/** A node's interface on a link; it bears the link's name. */
export interface Attachment {
  readonly link: SimulatedLink;
  readonly index: number;
  up: boolean;
  /** Undefined on a node without IPv6. */
  linkLocal: string | undefined;
  /** ULA addresses, and the IPv4 address; `renumber` replaces them. */
  addresses: readonly string[];
  ipv4: Ipv4Address | undefined;
  generation: number;
}

/** Whoever accepts streams on a port of a node: a listener or a pair of one of its threads. */
export interface Acceptor {
  readonly port: number;
  readonly owner: NodePort;
  readonly id: number;
  readonly backlog: number;
  /** Streams offered and not yet handed to `onStream`. */
  pending: number;
}

/** An IP version of multicasts. */
export type Family = 'ipv6' | 'ipv4';

export interface NodeOptions {
  /** Links the node is attached to, in the order of its interfaces; made on first use. May be empty. */
  readonly links: readonly string[];
  /** Default 'insecure': nothing protects a simulated link, and nobody needs the word to simulate. */
  readonly security?: Security | undefined;
  /** A ULA address on each interface besides the link-local one. Default true. */
  readonly ula?: boolean | undefined;
  /** A link-local address on each interface, and the ULA one. Default true; false: an IPv4-only node. */
  readonly ipv6?: boolean | undefined;
  /** An IPv4 address on each interface, of the link's own subnet. Default false. */
  readonly ipv4?: boolean | undefined;
  /** IP versions of multicasts; see `PlainOptions.families`. */
  readonly families?: readonly Family[] | undefined;
  /** Addresses on interfaces that GRASP does not use, such as global ones on `lo`. Default none. */
  readonly otherAddresses?: readonly string[] | undefined;
}

/** What a node needs of its network. */
export interface NodeHooks {
  link(name: string): SimulatedLink;
  connect(node: SimulatedNode, endpoint: Endpoint): void;
  unicast(node: SimulatedNode, target: Target, port: number, bytes: Uint8Array): void;
  /** Something that decides who reaches whom has changed. */
  onChange(): void;
}

const FIRST_DYNAMIC_PORT = 32_768;
const LAST_DYNAMIC_PORT = 65_535;

/** One simulated node: interfaces, addresses, ports, and what its threads have opened. */
export class SimulatedNode {
  readonly ports = new Set<NodePort>();
  readonly attachments: Attachment[] = [];
  readonly #options: NodeOptions;
  readonly #hooks: NodeHooks;
  readonly #acceptors = new Map<number, Acceptor>();
  /** Local ports of streams opened here; one number belongs to one live stream. */
  readonly #connectedPorts = new Set<number>();
  #security: Security;
  #environment: Environment;
  #nextPort = FIRST_DYNAMIC_PORT;
  #nextIndex = 2; // 1 is `lo`

  /** @internal made by `SimulatedNetwork.addNode` */
  constructor(
    readonly name: string,
    /** 1, 2, …; part of the node's addresses. */
    readonly number: number,
    options: NodeOptions,
    hooks: NodeHooks,
  ) {
    this.#options = options;
    this.#hooks = hooks;
    this.#security = options.security ?? 'insecure';
    for (const link of options.links) this.#attach(link);
    this.#environment = this.#describe();
  }

  get environment(): Environment {
    return this.#environment;
  }

  /**
   * Serves one engine thread over an endpoint; the thread calls `openSimulatedSubstrate` on the other end. A node
   * may serve any number of threads and engines, as a host has any number of processes.
   */
  connectPort(endpoint: Endpoint): void {
    this.#hooks.connect(this, endpoint);
  }

  /** Takes an interface down or up again. Its addresses come back; group memberships survive. */
  setInterfaceUp(link: string, up: boolean): void {
    const attachment = this.attachment(link);
    if (attachment.up === up) return;
    attachment.up = up;
    this.#changed();
  }

  /** Adds an interface on a link, as one plugged in. */
  attach(link: string): void {
    if (this.attachments.some((a) => a.link.name === link)) {
      throw new RangeError(`node ${this.name} is on link '${link}' already`);
    }
    this.#attach(link);
    this.#changed();
  }

  /** Removes an interface for good: what was open on it is lost. */
  detach(link: string): void {
    const attachment = this.attachment(link);
    attachment.up = false;
    this.attachments.splice(this.attachments.indexOf(attachment), 1);
    attachment.link.members.delete(attachment);
    for (const port of this.ports) port.loseInterface(link);
    this.#changed();
  }

  /**
   * Gives the interface a new ULA address, and a new IPv4 one if it has one (with `linkLocal`, a new link-local one
   * too); the old ones are gone.
   */
  renumber(link: string, options: { linkLocal?: boolean } = {}): void {
    const attachment = this.attachment(link);
    attachment.generation++;
    this.#number(attachment);
    if (options.linkLocal && attachment.linkLocal !== undefined) {
      attachment.linkLocal = `fe80::${hex(attachment.generation)}:${hex(attachment.link.number)}:${hex(this.number)}`;
    }
    this.#changed();
  }

  /** Gives the interface another IPv4 address, such as `192.0.2.1/24`, or none. Throws a RangeError for a bad one. */
  setIpv4(link: string, cidr: string | undefined): void {
    const attachment = this.attachment(link);
    const ipv4 = cidr === undefined ? undefined : parseIpv4(cidr);
    const other = this.attachments.find(
      (a) => a !== attachment && a.ipv4 && ipv4 && isOnSubnet(ipv4.address, a.ipv4),
    );
    // As a real host's substrate refuses it: nobody could tell which one a multicast came by.
    if (other) throw new RangeError(`'${cidr}' is on the subnet of interface '${other.link.name}'`);
    const rest = attachment.addresses.filter((address) => address !== attachment.ipv4?.address);
    attachment.ipv4 = ipv4;
    attachment.addresses = ipv4 ? [...rest, ipv4.address] : rest;
    this.#changed();
  }

  /** The families multicasts are heard by. @internal */
  hears(family: Family): boolean {
    return this.#options.families?.includes(family) ?? true;
  }

  /** The families a multicast leaves an interface by now, each with its source address. @internal */
  sendsBy({ linkLocal, ipv4 }: Attachment): { family: Family; address: string }[] {
    const ways: { family: Family; address: string }[] = [];
    if (linkLocal !== undefined && this.hears('ipv6')) ways.push({ family: 'ipv6', address: linkLocal });
    if (ipv4 && this.hears('ipv4')) ways.push({ family: 'ipv4', address: ipv4.address });
    return this.#options.families ? ways : ways.slice(0, 1);
  }

  /** The interface on whose subnet an IPv4 address lies, by the longest prefix. @internal */
  onLink(address: string): Attachment | undefined {
    const on = this.attachments.filter((a) => a.up && a.ipv4 && isOnSubnet(address, a.ipv4));
    return on.sort((a, b) => b.ipv4!.prefix - a.ipv4!.prefix)[0];
  }

  /**
   * Sends a datagram to one address, as a program of this node would from the given port; the well-known port of
   * whoever holds the address takes it (RFC 8990 §2.5.4.3). Throws as a connect would reject; what nobody takes is
   * lost without a word.
   */
  sendDatagram(target: Target, bytes: Uint8Array, port: number): void {
    this.#hooks.unicast(this, target, port, new Uint8Array(bytes));
  }

  setSecurity(security: Security): void {
    if (this.#security === security) return;
    this.#security = security;
    this.#changed();
  }

  /** The interface on a link; throws `no-interface` for a link the node is not on. */
  attachment(link: string): Attachment {
    const attachment = this.attachments.find((a) => a.link.name === link);
    if (!attachment) throw new SubstrateError('no-interface', `node ${this.name} has no interface '${link}'`);
    return attachment;
  }

  /** The interface that has this address and is up. @internal */
  holder(address: string): Attachment | undefined {
    return this.attachments.find((a) => a.up && (a.linkLocal === address || a.addresses.includes(address)));
  }

  /** Whether the node itself answers under a non-link-local address. @internal */
  isOwn(address: string): boolean {
    return (this.#options.otherAddresses ?? []).includes(address) || this.holder(address) !== undefined;
  }

  /** Reserves a port; 0 takes a free one. @internal */
  bind(port: number, owner: NodePort, id: number, backlog: number): Acceptor {
    const number = port === 0 ? this.#freePort() : port;
    if (this.#acceptors.has(number)) {
      throw new SubstrateError('address-in-use', `port ${number} of node ${this.name} is taken`);
    }
    const acceptor: Acceptor = { port: number, owner, id, backlog, pending: 0 };
    this.#acceptors.set(number, acceptor);
    return acceptor;
  }

  /** @internal */
  unbind(acceptor: Acceptor): void {
    if (this.#acceptors.get(acceptor.port) === acceptor) this.#acceptors.delete(acceptor.port);
  }

  /** @internal */
  acceptor(port: number): Acceptor | undefined {
    return this.#acceptors.get(port);
  }

  /** The local port of a stream that is opened; throws `address-in-use` if none is left. @internal */
  takePort(): number {
    const port = this.#freePort();
    this.#connectedPorts.add(port);
    return port;
  }

  /** @internal */
  returnPort(port: number): void {
    this.#connectedPorts.delete(port);
  }

  /** Counts upwards, so that a port just closed is not soon given away again. */
  #freePort(): number {
    for (let tried = FIRST_DYNAMIC_PORT; tried <= LAST_DYNAMIC_PORT; tried++) {
      const port = this.#nextPort;
      this.#nextPort = port === LAST_DYNAMIC_PORT ? FIRST_DYNAMIC_PORT : port + 1;
      if (!this.#acceptors.has(port) && !this.#connectedPorts.has(port)) return port;
    }
    throw new SubstrateError('address-in-use', `node ${this.name} has no free port`);
  }

  #attach(name: string): void {
    const link = this.#hooks.link(name);
    const attachment: Attachment = {
      link,
      index: this.#nextIndex++,
      up: true,
      linkLocal: this.#options.ipv6 === false ? undefined : `fe80::${hex(link.number)}:${hex(this.number)}`,
      addresses: [],
      ipv4: undefined,
      generation: 0,
    };
    this.#number(attachment);
    this.attachments.push(attachment);
    link.members.set(attachment, this);
  }

  /** fd67:7261:7370::/48 spells "grasp" as far as a ULA prefix allows; then link, generation, node. */
  #number(attachment: Attachment): void {
    const { generation, link } = attachment;
    const { ula = true, ipv6 = true, ipv4 = false } = this.#options;
    const host = generation === 0 ? hex(this.number) : `${hex(generation)}:${hex(this.number)}`;
    const ulas = ula && ipv6 ? [`fd67:7261:7370:${hex(link.number)}::${host}`] : [];
    attachment.ipv4 = ipv4 ? link.nextIpv4() : undefined;
    attachment.addresses = attachment.ipv4 ? [...ulas, attachment.ipv4.address] : ulas;
  }

  #changed(): void {
    this.#environment = this.#describe();
    for (const port of this.ports) port.tellEnvironment();
    this.#hooks.onChange();
  }

  #describe(): Environment {
    const interfaces = this.attachments
      .filter((a) => a.up)
      .map((a): InterfaceInfo => {
        const { index, linkLocal, addresses } = a;
        return { name: a.link.name, index, linkLocal, addresses };
      });
    return { security: this.#security, interfaces, otherAddresses: this.#options.otherAddresses ?? [] };
  }
}

function hex(n: number): string {
  return n.toString(16);
}
