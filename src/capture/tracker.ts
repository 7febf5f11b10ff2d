/**
 * Follows GRASP through a capture: packets in, messages and what is in their way out. Datagrams to port 7017 are
 * GRASP; connections are found by that port and by what the messages before them said ({@link GraspEndpoints}).
 */
import { GRASP_LISTEN_PORT } from '../protocol/index.js';
import { Connection, type ConnectionHost } from './connection.js';
import { GraspEndpoints, type Found } from './endpoints.js';
import { judge, judgeDatagram } from './judge.js';
import type { CaptureCounts, Observation } from './observation.js';
import { readPacket, type Place } from './packet.js';
import type { RawPacket } from './record.js';
import type { TcpSegment, UdpDatagram } from './transport.js';

export interface TrackerOptions {
  /** Takes what is seen, in the order of the packets. */
  readonly emit: (observation: Observation) => void;
  /** UDP and TCP ports of GRASP besides 7017. */
  readonly ports?: readonly number[] | undefined;
}

/** Connections and fragmented packets that are kept in mind; the one longest without a packet is forgotten. */
const MAX_CONNECTIONS = 65_536;
const MAX_FRAGMENTED = 1024;

export class GraspTracker {
  readonly counts: CaptureCounts = {
    packets: 0,
    messages: 0,
    refused: 0,
    graspPackets: 0,
    unreadable: 0,
    fragments: 0,
    retransmitted: 0,
    outOfOrder: 0,
  };
  readonly #endpoints: GraspEndpoints;
  readonly #host: ConnectionHost;
  readonly #emit: (observation: Observation) => void;
  /** By both ends, the smaller key first. The one that had a packet last is the last. */
  readonly #connections = new Map<string, Connection>();
  /** Packets of GRASP that come in fragments. */
  readonly #fragmented = new Set<string>();
  readonly #linkTypes = new Set<number>();
  #last: Place | undefined;

  constructor({ emit, ports = [] }: TrackerOptions) {
    this.#emit = emit;
    this.#endpoints = new GraspEndpoints(new Set([GRASP_LISTEN_PORT, ...ports]));
    this.#host = {
      endpoints: this.#endpoints,
      counts: this.counts,
      emit: (observation) => this.#observe(observation),
    };
  }

  push(raw: RawPacket): void {
    this.counts.packets++;
    const packet = readPacket(raw);
    switch (packet.kind) {
      case 'udp':
        this.#last = packet.place;
        return this.#datagram(packet.datagram, packet.place);
      case 'tcp':
        this.#last = packet.place;
        return this.#segment(packet.segment, packet.place);
      case 'fragment':
        return this.#fragment(packet.id, packet.place, packet.bytes);
      case 'unknown-link': {
        const { linkType } = packet;
        if (this.#linkTypes.has(linkType)) return;
        this.#linkTypes.add(linkType);
        this.#emit({
          kind: 'trouble',
          place: undefined,
          reason: 'link.unknown-type',
          count: undefined,
          linkType,
        });
        return;
      }
      case 'unreadable':
        this.counts.unreadable++;
        return;
      case 'other':
    }
  }

  /** The capture ends: what is unfinished is told. */
  end(): void {
    for (const connection of this.#connections.values()) connection.end(this.#last);
    this.#connections.clear();
  }

  #datagram({ bytes, missing }: UdpDatagram, place: Place): void {
    const { source, destination } = place;
    if (!this.#endpoints.isGraspPort(destination.port)) {
      const isHint =
        this.#endpoints.isGraspPort(source.port) ||
        this.#endpoints.udp(destination.key, destination.port) ||
        this.#endpoints.udp(source.key, source.port);
      if (isHint && missing === 0) this.#hintedDatagram(bytes, place);
      return;
    }
    this.counts.graspPackets++;
    if (missing > 0) this.#observe({ kind: 'trouble', place, reason: 'udp.cut', count: missing });
    else this.#observe({ place, found: 'port', bytes, ...judgeDatagram(bytes) });
  }

  /** A UDP locator, or an answer from port 7017: shown only if it is a valid message. */
  #hintedDatagram(bytes: Uint8Array, place: Place): void {
    const found: Found = 'hint';
    const judgement = judge(bytes, ['session', 'multicast']);
    if (judgement.kind !== 'message' || judgement.message.type === 0) return;
    this.counts.graspPackets++;
    this.#observe({ place, found, bytes, ...judgement });
  }

  #segment(segment: TcpSegment, place: Place): void {
    const key = connectionKey(place);
    let connection = this.#connections.get(key);
    this.#connections.delete(key);
    if (connection?.isSucceededBy(segment)) {
      connection.end(place);
      connection = undefined;
    }
    connection ??= new Connection(this.#host);
    this.#connections.set(key, connection);
    connection.push(segment, place);
    if (this.#connections.size <= MAX_CONNECTIONS) return;
    for (const [oldest, forgotten] of this.#connections) {
      this.#connections.delete(oldest);
      forgotten.end(place);
      break;
    }
  }

  #fragment(id: string, place: Place | undefined, bytes: number): void {
    this.counts.fragments++;
    if (place && this.#isGrasp(place)) {
      if (this.#fragmented.size >= MAX_FRAGMENTED) this.#fragmented.clear();
      this.#fragmented.add(id);
      this.#observe({ kind: 'trouble', place, reason: 'ip.fragment', count: bytes });
    }
    if (this.#fragmented.has(id)) this.counts.graspPackets++;
  }

  #isGrasp(place: Place): boolean {
    const { source, destination, transport } = place;
    if ([source, destination].some(({ port }) => this.#endpoints.isGraspPort(port))) return true;
    return transport === 'tcp' && this.#connections.get(connectionKey(place))?.isGrasp === true;
  }

  #observe(observation: Observation): void {
    if (observation.kind === 'message') {
      // What does not belong there is believed by no receiver either.
      if (observation.refusal) this.counts.refused++;
      else {
        this.counts.messages++;
        this.#endpoints.learn(observation.message, observation.place);
      }
    } else if (observation.kind === 'refused') this.counts.refused++;
    this.#emit(observation);
  }
}

function connectionKey({ source, destination }: Place): string {
  return source.key < destination.key
    ? `${source.key} ${destination.key}`
    : `${destination.key} ${source.key}`;
}
