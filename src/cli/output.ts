/**
 * What a command prints. Events go to stdout: one JSON object per line with `--json`, else a line for people; what
 * a script must not read (logs, errors, hints) goes to stderr.
 */
import { inspect } from 'node:util';
import { isLinkLocal, parseAddress } from '../protocol/index.js';
import type { AsaLocator } from './api.js';
import { describeFailure } from './exit.js';
import { jsonLine, Shown, valueJson } from './json-line.js';
import { unwrap } from './values.js';

/** Where a command writes; `process` in production. */
export interface Streams {
  stdout(text: string): void;
  stderr(text: string): void;
}

/** The outcome of one negotiation, the same on both sides. */
export interface Outcome {
  readonly outcome: 'accepted' | 'declined' | 'failed';
  /** What both sides agreed on; undefined unless accepted. */
  readonly value?: unknown;
  /** The reason given for a decline, or the text of the failure. */
  readonly reason: string | null;
  /** RFC 8991 number: 0 accepted, 1 declined, else why it failed. */
  readonly code: number;
}

/** Marks the lines of one session among several. */
export interface SessionTag {
  /** Number of the session within this command, from 1. */
  readonly session: number;
  /** `[address%interface]:port` of the other side. */
  readonly peer: string;
}

/** A locator as lines show it. */
export interface ShownLocator {
  readonly address: string;
  readonly port: number | null;
  readonly protocol: string | number | null;
  readonly interface: string | null;
}

/** The fields of a locator that lines show. */
export function shownLocator(locator: AsaLocator): ShownLocator {
  const { address, port, protocol } = locator;
  return { address, port, protocol, interface: locator.interface ?? null };
}

export type CliEvent =
  | {
      readonly event: 'ready';
      /** Absent: the node as such is ready. */
      readonly objective: string | undefined;
      readonly address: string;
      readonly interface: string | undefined;
      readonly port: number | undefined;
      readonly interfaces: readonly string[];
      readonly security: string;
      /** Where Prometheus gets its metrics. */
      readonly metrics?: string | undefined;
    }
  | {
      readonly event: 'locator';
      readonly address: string;
      readonly port: number | null;
      readonly protocol: string | number | null;
      readonly interface: string | null;
      readonly diverted: boolean;
      readonly expiresAt: number;
      /** ms since the discovery was asked for. */
      readonly afterMs: number;
    }
  | {
      readonly event: 'step';
      readonly tag: SessionTag | undefined;
      readonly direction: 'sent' | 'received';
      readonly loopCount: number;
      readonly dryRun: boolean;
      /** As sent or received, RawCbor included. */
      readonly value: unknown;
    }
  | {
      readonly event: 'value';
      readonly name: string;
      /** As received, RawCbor included. */
      readonly value: unknown;
      /** Whom it is from; null: a flood without a tag. */
      readonly locator: ShownLocator | null;
      /** Interface a flood came by; null: not by one. */
      readonly interface: string | null;
      /** ms since the epoch, 0: for ever; null: it is not kept. */
      readonly expiresAt: number | null;
      /** How it was got. */
      readonly source: string;
      /** ms since the epoch when this command was told of it; only of floods. */
      readonly at?: number;
    }
  | {
      readonly event: 'sent';
      readonly name: string;
      readonly value: unknown;
      readonly ttl: number;
      /** ms since the epoch when it was to be sent. */
      readonly at: number;
    }
  | ({ readonly event: 'end'; readonly tag: SessionTag | undefined; readonly dryRun: boolean } & Outcome);

export interface OutputOptions {
  readonly json: boolean;
  readonly verbose: boolean;
}

/** The only place that writes to stdout and stderr. */
export class Output {
  constructor(
    readonly streams: Streams,
    readonly options: OutputOptions,
  ) {}

  /** One event, as JSON or for people. */
  event(event: CliEvent): void {
    this.streams.stdout(`${this.options.json ? eventJson(event) : eventText(event)}\n`);
  }

  /** A prepared line: `fields` with `--json`, else `text`. */
  line(fields: Readonly<Record<string, unknown>>, text: string): void {
    this.streams.stdout(`${this.options.json ? jsonLine(fields) : text}\n`);
  }

  /** A log line, only with `--verbose`. */
  log(text: string): void {
    if (this.options.verbose) this.streams.stderr(`${text}\n`);
  }

  /** Something the user should know though the command goes on. */
  warn(text: string): void {
    this.streams.stderr(`${text}\n`);
  }

  /** What went wrong, in one line, and what to do about it in the next. */
  failure(error: unknown): void {
    const { message, hint } = describeFailure(error);
    this.streams.stderr(`grasp: ${message}\n`);
    if (hint !== undefined) this.streams.stderr(`       ${hint}\n`);
    if (this.options.verbose && error instanceof Error && error.cause !== undefined) {
      this.streams.stderr(`       caused by: ${inspect(error.cause)}\n`);
    }
  }
}

/** Lines tell time to the microsecond. */
export function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** `address%interface` and port in one text; brackets for IPv6, names and URIs as they are. */
export function peerText(peer: {
  address: string;
  port: number | null;
  interface?: string | null | undefined;
}): string {
  const zone = peer.interface && isLinkLocal(peer.address) ? `%${peer.interface}` : '';
  const host = parseAddress(peer.address)?.family === 6 ? `[${peer.address}${zone}]` : peer.address;
  return peer.port === null ? host : `${host}:${peer.port}`;
}

/** The JSON line of an event. */
export function eventJson(event: CliEvent): string {
  switch (event.event) {
    case 'ready':
    case 'locator':
      return jsonLine({ ...event });
    case 'value': {
      const { form, value } = unwrap(event.value);
      return jsonLine({
        ...event,
        value: new Shown(value),
        tag24: form === 'tag24' ? true : undefined,
      });
    }
    case 'sent':
      return jsonLine({ ...event, value: new Shown(unwrap(event.value).value) });
    case 'step': {
      const { form, value } = unwrap(event.value);
      return jsonLine({
        event: 'step',
        session: event.tag?.session,
        peer: event.tag?.peer,
        direction: event.direction,
        loopCount: event.loopCount,
        value: new Shown(value),
        dryRun: event.dryRun ? true : undefined,
        tag24: form === 'tag24' ? true : undefined,
      });
    }
    case 'end':
      return jsonLine({
        event: 'end',
        session: event.tag?.session,
        peer: event.tag?.peer,
        outcome: event.outcome,
        value: event.outcome === 'accepted' ? new Shown(unwrap(event.value).value) : null,
        reason: event.reason,
        code: event.code,
        dryRun: event.dryRun ? true : undefined,
      });
  }
}

/** The line for people. */
export function eventText(event: CliEvent): string {
  switch (event.event) {
    case 'ready': {
      const at = peerText({ ...event, port: event.port ?? null });
      const what = event.objective === undefined ? 'Ready' : `Offering ${event.objective}`;
      const metrics = event.metrics === undefined ? '' : ` Metrics: ${event.metrics}.`;
      return `${what} at ${at} on ${event.interfaces.join(', ') || 'this machine only'}; end with Ctrl-C.${metrics}`;
    }
    case 'locator': {
      const parts = [peerText(event)];
      if (event.protocol !== null) parts.push(String(event.protocol));
      if (event.interface !== null) parts.push(`by ${event.interface}`);
      if (event.diverted) parts.push('diverted');
      parts.push(`valid until ${new Date(event.expiresAt).toISOString()}`);
      return parts.join('  ');
    }
    case 'value': {
      const { form, value } = unwrap(event.value);
      const parts = [`${event.name} = ${valueJson(value)}`];
      if (form === 'tag24') parts.push('as tag 24');
      if (event.locator !== null) parts.push(`from ${locatorText(event.locator)}`);
      if (event.interface !== null) parts.push(`by ${event.interface}`);
      if (event.expiresAt !== null) {
        parts.push(
          event.expiresAt === 0 ? 'for ever' : `valid until ${new Date(event.expiresAt).toISOString()}`,
        );
      }
      return `${parts.join('  ')}  (${event.source})`;
    }
    case 'sent': {
      const { value } = unwrap(event.value);
      const ttl = event.ttl === 0 ? 'for ever' : `for ${event.ttl} ms`;
      return `Flooded ${event.name} = ${valueJson(value)}, valid ${ttl}.`;
    }
    case 'step': {
      const { form, value } = unwrap(event.value);
      const arrow = event.direction === 'sent' ? '->' : '<-';
      const notes = [`loop count ${event.loopCount}`];
      if (event.dryRun) notes.push('dry run');
      if (form === 'tag24') notes.push('as tag 24');
      return `${tagText(event.tag)}${arrow} ${valueJson(value)}  (${notes.join(', ')})`;
    }
    case 'end': {
      const dry = event.dryRun ? ' (dry run)' : '';
      const tag = tagText(event.tag);
      if (event.outcome === 'accepted') {
        return `${tag}Agreed on ${valueJson(unwrap(event.value).value)}${dry}.`;
      }
      if (event.outcome === 'declined') {
        return `${tag}Declined${dry}: ${event.reason ?? 'no reason given'}.`;
      }
      return `${tag}Failed${dry}: ${event.reason ?? 'no reason known'} (code ${event.code}).`;
    }
  }
}

function locatorText(locator: ShownLocator): string {
  const { protocol } = locator;
  return `${peerText(locator)}${protocol === null || protocol === 'tcp' ? '' : `/${protocol}`}`;
}

function tagText(tag: SessionTag | undefined): string {
  return tag === undefined ? '' : `#${tag.session} ${tag.peer} `;
}
