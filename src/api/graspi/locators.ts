/** asa_locator ↔ the locators of the engine's own API. */
import { ErrorCode, GraspError, IPPROTO_TCP, IPPROTO_UDP, parseAddress } from '../../protocol/index.js';
import type { Grasp } from '../grasp.js';
import type { AsaLocator } from '../locator.js';
import { asa_locator } from './classes.js';

/** Interface names and indexes of one engine; asked for anew when one is not known. */
export class Interfaces {
  readonly #grasp: () => Grasp;
  #known: readonly { readonly name: string; readonly index: number }[] = [];

  constructor(grasp: () => Grasp) {
    this.#grasp = grasp;
  }

  async indexOf(name: string): Promise<number> {
    return (await this.#find((each) => each.name === name))?.index ?? 0;
  }

  async nameOf(index: number): Promise<string> {
    return (await this.#find((each) => each.index === index))?.name ?? '';
  }

  async #find(
    wanted: (each: { readonly name: string; readonly index: number }) => boolean,
  ): Promise<{ readonly name: string; readonly index: number } | undefined> {
    const found = this.#known.find(wanted);
    if (found) return found;
    this.#known = (await this.#grasp().status()).interfaces;
    return this.#known.find(wanted);
  }
}

/** A locator as an ASA gets it. */
export async function toOlder(locator: AsaLocator, interfaces: Interfaces): Promise<asa_locator> {
  const index = locator.interface === undefined ? 0 : await interfaces.indexOf(locator.interface);
  const result = new asa_locator(locator.address, index, locator.diverted);
  result.interface = locator.interface ?? '';
  result.port = locator.port;
  result.protocol =
    locator.protocol === 'tcp' ? IPPROTO_TCP : locator.protocol === 'udp' ? IPPROTO_UDP : locator.protocol;
  result.expire = locator.expiresAt;
  result.is_ipaddress = locator.kind === 'ipv6' || locator.kind === 'ipv4';
  result.is_fqdn = locator.kind === 'fqdn';
  result.is_uri = locator.kind === 'uri';
  return result;
}

/** What an ASA gave as a locator; invalidLoc (38) for one that no message could hold (api.md §4.16). */
export async function toEngineLocator(given: asa_locator, interfaces: Interfaces): Promise<AsaLocator> {
  const address = String(given.locator);
  const kind = kindOf(given, address);
  const { port, protocol } = given;
  if (!inRange(port, 0xffff) || !inRange(protocol, 0xff)) throw unusable(address, 'port or protocol');
  if (kind !== 'uri' && (port === null || protocol === null)) throw unusable(address, 'no port or protocol');
  const name = given.interface !== '' ? given.interface : await nameOf(given.ifi, interfaces);
  return {
    kind,
    address,
    port,
    protocol: protocol === IPPROTO_TCP ? 'tcp' : protocol === IPPROTO_UDP ? 'udp' : protocol,
    ...(name === '' ? {} : { interface: name }),
    diverted: given.diverted,
    expiresAt: given.expire,
  };
}

async function nameOf(ifi: unknown, interfaces: Interfaces): Promise<string> {
  return typeof ifi === 'number' && ifi > 0 ? interfaces.nameOf(ifi) : '';
}

function kindOf(given: asa_locator, address: string): AsaLocator['kind'] {
  const { is_ipaddress, is_fqdn, is_uri } = given;
  if ([is_ipaddress, is_fqdn, is_uri].filter(Boolean).length !== 1) {
    throw unusable(address, 'exactly one of is_ipaddress, is_fqdn, is_uri is to be set');
  }
  if (is_fqdn) return 'fqdn';
  if (is_uri) return 'uri';
  const parsed = parseAddress(address.split('%')[0]!);
  if (!parsed) throw unusable(address, 'not an address');
  return parsed.family === 4 ? 'ipv4' : 'ipv6';
}

function inRange(value: unknown, most: number): boolean {
  return (
    value === null || (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most)
  );
}

function unusable(address: string, why: string): GraspError {
  return new GraspError(ErrorCode.invalidLoc, `${JSON.stringify(address)}: ${why}`);
}
