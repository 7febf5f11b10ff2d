/**
 * Captures of network traffic, pure: bytes of a pcap or pcapng file in, GRASP messages with their places out. State and
 * bytes come in as arguments; no file, process or clock is touched here.
 *
 * May import protocol only. Read tracker.ts first, then connection.ts; reader.ts for the files.
 */
export * from './reasons.js';
export type { BrokenCapture, RawPacket } from './record.js';
export { CaptureReader, type ReadResult } from './reader.js';
export { readPacket, type Endpoint, type Packet, type Place } from './packet.js';
export type { Found } from './endpoints.js';
export { CONTEXTS, judge, type Judgement } from './judge.js';
export type { CaptureCounts, Observation } from './observation.js';
export { GraspTracker, type TrackerOptions } from './tracker.js';
export { TimeOrder, formatTime } from './time.js';
