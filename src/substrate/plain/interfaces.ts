import ipaddr from 'ipaddr.js';
import type { Clock, TimerId } from '../../runtime/clock.js';
import { SubstrateError, type Environment, type InterfaceInfo, type Security } from '../types.js';
import { isOwnAddress } from '../own-address.js';
import { sharedSubnets } from './on-link.js';
import { type HostInterface, type Platform } from './platform.js';

/** While an address is still being checked for duplicates, the host is looked at this often, ms. */
const TENTATIVE_POLL_MS = 100;

/** Of that many addresses it is remembered whether they are this host's. */
const OWN_ADDRESSES_KEPT = 1_024;

export interface WatchOptions {
  /** Undefined: every interface that is up, multicast-capable and not loopback. */
  readonly chosen: readonly string[] | undefined;
  readonly security: Security;
  readonly pollIntervalMs: number;
  /** Whether IPv4 multicasts are heard: then the interface has to be told from the source's subnet. */
  readonly ipv4: boolean;
  /** The engine was started with these options: what they name may have gone since. */
  readonly lenient: boolean;
}

/** An interface chosen for GRASP, as it was at the last look at the host. */
export interface ChosenInterface extends HostInterface {
  /** The IPv4 address it can be used by; undefined: it has none, or its subnet is an earlier one's too. */
  readonly ipv4: string | undefined;
}

/**
 * Keeps the {@link Environment} of a plain substrate true by looking at the host at intervals. Network change is
 * normal: nothing here fails because an interface has come or gone.
 */
export class InterfaceWatch {
  readonly #platform: Platform;
  readonly #clock: Clock;
  readonly #options: WatchOptions;
  readonly #listeners = new Set<(environment: Environment) => void>();
  /** Told of every look at the host, changed or not: an interface may have been re-created in between. */
  readonly #lookers = new Set<() => void>();
  #host: readonly HostInterface[];
  /** Made at a look, not when asked for: every multicast that leaves asks. */
  #chosen: readonly ChosenInterface[] = [];
  /** As {@link onLink} is to look at them: of several on a subnet the one whose IPv4 is in use comes first. */
  #byPrecedence: readonly HostInterface[] = [];
  /** Interfaces whose IPv4 subnet is an earlier one's too. */
  #ambiguous: ReadonlySet<string> = new Set();
  /** Addresses that were asked about, as written, and whether they are this host's. */
  readonly #own = new Map<string, boolean>();
  #environment: Environment;
  #fingerprint: string;
  #timer: TimerId | undefined;
  #closed = false;

  /**
   * Unless lenient, throws `no-interface` for a name that no interface bears, `unsupported` for two named interfaces
   * on one IPv4 subnet. A host with cable and WLAN on one LAN that names none must start: there the first keeps IPv4.
   */
  constructor(platform: Platform, clock: Clock, options: WatchOptions) {
    this.#platform = platform;
    this.#clock = clock;
    this.#options = options;
    const host = platform.list();
    if (!host) throw new SubstrateError('local', 'no file descriptor is left to look at the interfaces');
    for (const name of options.chosen ?? []) {
      // Joining a group on an unknown name would succeed silently, on the default interface.
      if (platform.indexOf(name) === undefined && !options.lenient) {
        throw new SubstrateError('no-interface', `there is no interface '${name}'`);
      }
    }
    this.#host = host;
    const [shared] = this.#choose();
    if (shared && options.chosen && !options.lenient) {
      const { first, second, subnet } = shared;
      throw new SubstrateError(
        'unsupported',
        `interfaces '${first}' and '${second}' are both on ${subnet}: for IPv4 multicasts nobody could tell which ` +
          "one they came by; use one of the two (interfaces), or IPv6 only (families: ['ipv6'])",
      );
    }
    this.#environment = this.#describe(host);
    this.#fingerprint = JSON.stringify(this.#environment);
    this.#schedule(host);
  }

  /** Everything the host has now, chosen or not. */
  get host(): readonly HostInterface[] {
    return this.#host;
  }

  /** The chosen interfaces of the host, each with the IPv4 address it can be used by. */
  get chosen(): readonly ChosenInterface[] {
    return this.#chosen;
  }

  /** Everything the host has, in the order in which an IPv4 address of a subnet is taken to be on an interface. */
  get byPrecedence(): readonly HostInterface[] {
    return this.#byPrecedence;
  }

  /** How many chosen interfaces cannot be used for IPv4 because another one is on their subnet. */
  get ambiguous(): number {
    return this.#ambiguous.size;
  }

  /** Whether this is an address of this host, whatever interface it is on; loopback's are. */
  isOwn(address: string): boolean {
    let own = this.#own.get(address);
    if (own === undefined) {
      const canonical = ipaddr.isValid(address) ? ipaddr.parse(address).toString() : address;
      own = isOwnAddress({ ...this.#environment, interfaces: this.#host }, canonical);
      if (this.#own.size >= OWN_ADDRESSES_KEPT) this.#own.clear();
      this.#own.set(address, own);
    }
    return own;
  }

  get environment(): Environment {
    return this.#environment;
  }

  watch(listener: (environment: Environment) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls back at every look at the host, with the environment as it is now, before the listeners of changes. */
  onLook(looker: () => void): () => void {
    this.#lookers.add(looker);
    return () => void this.#lookers.delete(looker);
  }

  /** The chosen interface of that name, up now; throws `no-interface`. */
  require(name: string): InterfaceInfo {
    const find = (): InterfaceInfo | undefined => this.#environment.interfaces.find((i) => i.name === name);
    if (!find()) this.look();
    const found = find();
    if (!found) throw new SubstrateError('no-interface', `interface '${name}' is down, gone or not chosen`);
    return found;
  }

  /** Looks at the host now, if it can be looked at. */
  look(): void {
    this.#clock.clearTimeout(this.#timer);
    const host = this.#platform.list();
    // What was there at the last look is the best that is known until the next.
    if (!host) return this.#schedule(this.#host);
    this.#host = host;
    this.#own.clear();
    this.#choose();
    const environment = this.#describe(host);
    const fingerprint = JSON.stringify(environment);
    const changed = fingerprint !== this.#fingerprint;
    if (changed) this.#environment = environment;
    this.#fingerprint = fingerprint;
    for (const looker of [...this.#lookers]) looker();
    if (changed) for (const listener of [...this.#listeners]) listener(environment);
    this.#schedule(host);
  }

  close(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#closed = true;
    this.#listeners.clear();
    this.#lookers.clear();
  }

  #schedule(host: readonly HostInterface[]): void {
    if (this.#closed) return; // meanwhile, by a listener
    const { pollIntervalMs } = this.#options;
    const soon = host.some((i) => i.tentative && this.#isChosen(i));
    const wait = soon ? Math.min(TENTATIVE_POLL_MS, pollIntervalMs) : pollIntervalMs;
    this.#timer = this.#clock.setTimeout(() => this.look(), wait);
  }

  /** Finds the chosen interfaces of the host, and returns those of them that share an IPv4 subnet. */
  #choose(): ReturnType<typeof sharedSubnets> {
    const chosen = this.#host.filter((item) => this.#isChosen(item));
    const shared = this.#options.ipv4 ? sharedSubnets(this.#inOrder(chosen)) : [];
    this.#ambiguous = new Set(shared.map(({ second }) => second));
    this.#chosen = chosen.map((item) => {
      const ipv4 = this.#ambiguous.has(item.name) ? undefined : item.networks[0]?.split('/')[0];
      return { ...item, ipv4 };
    });
    const inUse = this.#inOrder(this.#chosen).filter(({ ipv4 }) => ipv4 !== undefined);
    const names = new Set(inUse.map(({ name }) => name));
    this.#byPrecedence = [...inUse, ...this.#host.filter(({ name }) => !names.has(name))];
    return shared;
  }

  /** Named interfaces come in the order of their names in the options, others in the order of the host. */
  #inOrder<T extends { readonly name: string }>(interfaces: readonly T[]): T[] {
    const { chosen } = this.#options;
    if (!chosen) return [...interfaces];
    return [...interfaces].sort((a, b) => chosen.indexOf(a.name) - chosen.indexOf(b.name));
  }

  #isChosen(host: HostInterface): boolean {
    const { chosen } = this.#options;
    return chosen ? chosen.includes(host.name) : host.multicast && !host.loopback;
  }

  #describe(host: readonly HostInterface[]): Environment {
    const interfaces: InterfaceInfo[] = [];
    const otherAddresses: string[] = [];
    for (const item of host) {
      const { name, index, linkLocal, addresses } = item;
      if (!this.#isChosen(item)) otherAddresses.push(...addresses);
      else
        interfaces.push(Object.freeze({ name, index, linkLocal, addresses: Object.freeze([...addresses]) }));
    }
    return Object.freeze({
      security: this.#options.security,
      interfaces: Object.freeze(this.#inOrder(interfaces)),
      otherAddresses: Object.freeze(otherAddresses),
    });
  }
}
