/** What an ASA of a benchmark is: two roles of one piece of work, each a set of commands. */
import type { Asa } from 'anima-grasp';
import type { Command, Handlers } from '../support/commands.js';
import { number } from '../support/commands.js';
import type { Load } from './load.js';

export interface Peer {
  readonly address: string;
  readonly port: number;
}

export interface Work {
  /** Registered by both roles; the responder's process looks up its port. */
  readonly objective: string;
  respond(asa: Asa): Promise<Handlers>;
  initiate(asa: Asa, peer: Peer): Promise<Handlers>;
}

export const works = ['negotiation', 'step', 'synchronize', 'held', 'overload'] as const;
export type WorkName = (typeof works)[number];

export type Role = { readonly work: WorkName } & (
  { readonly role: 'responder' } | { readonly role: 'initiator'; readonly peer: Peer }
);

export const loadOf = (command: Command): Load => ({
  count: number(command, 'count'),
  concurrency: number(command, 'concurrency'),
});
