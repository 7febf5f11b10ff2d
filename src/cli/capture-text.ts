/** What is seen in a capture, for people and as JSON fields. */
import {
  formatTime,
  type CaptureCounts,
  type Endpoint,
  type Observation,
  type Place,
} from '../capture/index.js';
import type { TroubleReason } from '../capture/index.js';
import { diagnostic, formatAddress } from '../protocol/index.js';
import { describeMessage, messageName } from './message-text.js';

export interface Described {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** The line of an observation. */
export function describeObservation(observation: Observation): Described {
  const { place } = observation;
  const where = place ? placeFields(place) : {};
  const head = place ? placeText(place) : 'capture';
  switch (observation.kind) {
    case 'trouble': {
      const { reason, count, linkType } = observation;
      return {
        fields: { event: 'trouble', ...where, reason, bytes: count, linkType },
        text: `${head}\n  ${troubleText(reason, count, linkType)}`,
      };
    }
    case 'message': {
      const { message, bytes, found, droppedOptions, refusal } = observation;
      const type = messageName(message.type);
      const { json, text } = describeMessage(message);
      const notation = diagnostic(bytes);
      const problem = refusal ? { kind: refusal.kind, reason: refusal.reason } : undefined;
      const lines = [`${head}  ${type} (${bytes.length} bytes)`];
      if (refusal) lines.push(`problem: ${refusal.reason} (${refusal.kind})`);
      if (droppedOptions > 0) lines.push(`dropped options: ${droppedOptions}`);
      lines.push(...text, `cbor: ${notation}`);
      return {
        fields: {
          event: refusal ? 'refused' : 'message',
          ...where,
          found,
          type,
          ...json,
          ...problem,
          bytes: bytes.length,
          droppedOptions,
          diagnostic: notation,
        },
        text: lines.join('\n  '),
      };
    }
    case 'refused': {
      const { bytes, found, refusal } = observation;
      const { kind, reason, messageType, sessionId } = refusal;
      const type = messageType === undefined ? null : messageName(messageType);
      // What is not well-formed has no notation; what is has no need of hex.
      const notation = kind === 'malformed' ? undefined : diagnostic(bytes);
      const hex =
        notation === undefined ? Buffer.from(bytes.subarray(0, MAX_HEX)).toString('hex') : undefined;
      const what = type === null ? 'no GRASP message' : `no valid ${type}`;
      const more = bytes.length > MAX_HEX ? '…' : '';
      return {
        fields: {
          event: 'refused',
          ...where,
          found,
          type,
          sessionId: sessionId ?? null,
          kind,
          reason,
          bytes: bytes.length,
          hex,
          diagnostic: notation ?? null,
        },
        text: [
          `${head}  ${what} (${bytes.length} bytes)`,
          `problem: ${reason} (${kind})`,
          notation === undefined ? `hex: ${hex}${more}` : `cbor: ${notation}`,
        ].join('\n  '),
      };
    }
  }
}

const MAX_HEX = 256;

/** The last line: what was read, and what was passed over. */
export function describeCounts(counts: CaptureCounts): string {
  const { packets, messages, refused, graspPackets, unreadable, fragments } = counts;
  const parts = [`${messages} valid messages`, `${refused} not valid`];
  if (counts.retransmitted > 0) parts.push(`${counts.retransmitted} segments retransmitted`);
  if (counts.outOfOrder > 0) parts.push(`${counts.outOfOrder} segments out of order`);
  if (fragments > 0) parts.push(`${fragments} fragments`);
  if (unreadable > 0) parts.push(`${unreadable} packets with broken headers`);
  parts.push(`${packets - graspPackets} packets of other traffic`);
  return `${packets} packets: ${parts.join(', ')}`;
}

function placeFields(place: Place): Record<string, unknown> {
  const { packet, time, vlan, transport, source, destination } = place;
  return {
    packet,
    time: time === undefined ? null : formatTime(time),
    interface: place.interface ?? null,
    vlan,
    transport,
    source: endpointFields(source),
    destination: endpointFields(destination),
  };
}

function endpointFields({ address, port }: Endpoint): Record<string, unknown> {
  return { address: formatAddress(address), port };
}

function placeText(place: Place): string {
  const { packet, time, vlan, transport, source, destination } = place;
  const parts = [`#${packet}`];
  if (time !== undefined) parts.push(formatTime(time));
  const name = place.interface;
  if (name !== undefined) parts.push(name);
  if (vlan !== undefined) parts.push(`vlan ${vlan}`);
  parts.push(transport, endpointText(source), '->', endpointText(destination));
  return parts.join(' ');
}

function endpointText({ address, port }: Endpoint): string {
  const text = formatAddress(address);
  return address.length === 16 ? `[${text}]:${port}` : `${text}:${port}`;
}

function troubleText(reason: TroubleReason, count = 0, linkType = 0): string {
  switch (reason) {
    case 'link.unknown-type':
      return `packets of link type ${linkType} cannot be read; they are passed over`;
    case 'ip.fragment':
      return `a fragment (${count} bytes): fragments are not put together, the message in it is not shown`;
    case 'udp.cut':
      return `a datagram of which ${count} bytes were not captured`;
    case 'tcp.missing':
      return `${count} bytes of the stream are missing in the capture`;
    case 'tcp.passed-over':
      return `${count} bytes of the stream belong to no whole message`;
    case 'tcp.cut':
      return `the stream, or the capture, ends after ${count} bytes of a message that has more`;
    case 'tcp.reset':
      return 'the connection was reset';
    case 'tcp.encrypted':
      return 'TLS: what is said on this connection cannot be read';
  }
}
