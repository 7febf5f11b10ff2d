/** What an ASA says of an objective when it registers it: RFC 8991 §2.3.3, api.md §4.3. */
import { encodeValue, ErrorCode, GraspError, GRASP_DEF_LOOPCT } from '../protocol/index.js';
import type { ObjectiveRegistration } from '../workers/engine-control.js';
import { checkedUint32, show } from './checks.js';
import { toResponseLocator, type LocatorLike } from './locator.js';

/** RFC 8990 §2.8.5: default ttl of an M_RESPONSE, ms. */
const DEF_TTL_MS = 60_000;

/** An objective as an ASA registers it: RFC 8991 §2.3.2.4, api.md §4.3. */
export interface ObjectiveOptions {
  /** UTF-8, compared byte by byte. Names without colon are registered with IANA (RFC 8990 §2.10.1). */
  readonly name: string;
  /** Default false. Not together with `synchronize`. */
  readonly negotiate?: boolean | undefined;
  /** Its value can be synchronized and flooded. Default false. */
  readonly synchronize?: boolean | undefined;
  /** Dry-run negotiation is allowed; only with `negotiate`. Default false. */
  readonly dryRun?: boolean | undefined;
  /** 1 … 255; default 6 (GRASP_DEF_LOOPCT, RFC 8990 §2.6). */
  readonly loopCount?: number | undefined;
  /** Anything that can be encoded (see `encodeValue`); default null. */
  readonly value?: unknown;
  /** ms; lifetime of what a discovery tells about it. Default 60000. */
  readonly ttlMs?: number | undefined;
  /** Several ASAs may register the name, if all say so (D-03). Default false. */
  readonly overlap?: boolean | undefined;
  /** Discoveries are answered at once, also while nobody listens: for objectives that are only to be discovered. */
  readonly discoverable?: boolean | undefined;
  /** Discoveries are answered with the link-local address of their interface, and results are not passed on. */
  readonly local?: boolean | undefined;
  /** The current value goes into answers to discoveries, so that synchronizing needs no request (D-04). */
  readonly rapid?: boolean | undefined;
  /** Exactly these are announced, in order, instead of the engine's own; a link-local one on its own link only (D-05). */
  readonly locators?: readonly LocatorLike[] | undefined;
  /** It is flooded and never discovered: floods carry no F_DISC, as those of AN_ACP and SRV.est. */
  readonly floodOnly?: boolean | undefined;
  /** Largest message of its sessions if its specification allows more than 2048 bytes (RFC 8990 §2.8.3). */
  readonly maxMessageBytes?: number | undefined;
}

/** Checks what can be checked without the engine's knowledge: throws 3, 38. */
export function registrationOf(options: ObjectiveOptions): ObjectiveRegistration {
  if (typeof options !== 'object' || options === null) {
    throw new GraspError(ErrorCode.unspec, 'an objective is registered with { name, … }');
  }
  const flag = (name: keyof ObjectiveOptions): boolean => {
    const value = options[name] ?? false;
    if (typeof value === 'boolean') return value;
    throw new GraspError(ErrorCode.unspec, `${name} is true or false, not ${show(value)}`);
  };
  const { name, maxMessageBytes, locators } = options;
  return {
    name,
    negotiate: flag('negotiate'),
    synchronize: flag('synchronize'),
    dryRun: flag('dryRun'),
    loopCount: options.loopCount ?? GRASP_DEF_LOOPCT,
    ttlMs: options.ttlMs ?? DEF_TTL_MS,
    overlap: flag('overlap'),
    discoverable: flag('discoverable'),
    local: flag('local'),
    rapid: flag('rapid'),
    floodOnly: flag('floodOnly'),
    locators: locators === undefined || locators.length === 0 ? undefined : toLocators(locators),
    value: encodeValue(options.value ?? null),
    maxMessageBytes:
      maxMessageBytes === undefined ? undefined : checkedUint32(maxMessageBytes, 'maxMessageBytes'),
  };
}

function toLocators(locators: readonly LocatorLike[]): ObjectiveRegistration['locators'] {
  if (!Array.isArray(locators)) throw new GraspError(ErrorCode.invalidLoc, 'locators is a list');
  return locators.map((each: LocatorLike) => toResponseLocator(each));
}
