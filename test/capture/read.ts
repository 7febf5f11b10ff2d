/** Reads captures in tests: every packet, every observation. */
import {
  CaptureReader,
  GraspTracker,
  type BrokenCapture,
  type CaptureCounts,
  type Observation,
  type RawPacket,
} from '../../src/capture/index.js';
import { MESSAGE_NAMES, formatAddress } from '../../src/protocol/index.js';
import { pcap, timed } from './build.js';

export interface ReadFile {
  readonly packets: RawPacket[];
  readonly broken: BrokenCapture | undefined;
}

/** `chunk`: how many bytes are pushed at once. */
export function readFile(bytes: Uint8Array, chunk = 65_536): ReadFile {
  const reader = new CaptureReader();
  const packets: RawPacket[] = [];
  for (let at = 0; at < bytes.length; at += chunk) {
    reader.push(bytes.subarray(at, at + chunk));
    for (;;) {
      const next = reader.next();
      if (next.kind === 'more') break;
      if (next.kind === 'broken') return { packets, broken: next.broken };
      packets.push(next.packet);
    }
  }
  return { packets, broken: reader.end() };
}

export interface Tracked {
  readonly seen: Observation[];
  readonly counts: CaptureCounts;
}

export function track(packets: readonly RawPacket[], ports?: readonly number[]): Tracked {
  const seen: Observation[] = [];
  const tracker = new GraspTracker({ emit: (observation) => seen.push(observation), ports });
  for (const packet of packets) tracker.push(packet);
  tracker.end();
  return { seen, counts: tracker.counts };
}

/** What is seen in Ethernet frames. */
export function trackFrames(frames: readonly Uint8Array[], ports?: readonly number[]): Tracked {
  return track(readFile(pcap(timed(frames))).packets, ports);
}

/** Observations in short: `#1 fe80::b M_DISCOVERY`, `#2 fd00::a refused cbor.utf8`, `#3 fd00::a tcp.missing 5`. */
export function short({ seen }: Tracked): string[] {
  return seen.map((observation) => {
    const { place } = observation;
    const at = place ? `#${place.packet} ${formatAddress(place.source.address)}` : '-';
    switch (observation.kind) {
      case 'message': {
        const problem = observation.refusal ? ` ${observation.refusal.reason}` : '';
        return `${at} ${MESSAGE_NAMES[observation.message.type]}${problem}`;
      }
      case 'refused':
        return `${at} refused ${observation.refusal.reason}`;
      case 'trouble':
        return `${at} ${observation.reason}${observation.count === undefined ? '' : ` ${observation.count}`}`;
    }
  });
}
