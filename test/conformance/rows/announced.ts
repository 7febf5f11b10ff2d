/** What the rows of RFC 8994 and RFC 8995 have in common: floods as a neighbour sends them, what E makes of them. */
import type { T } from '../context.js';
import type { Peer } from '../peer.js';
import { addressBytes, F_SYNCH } from '../wire.js';

/** Flags of infrastructure floods: F_SYNCH alone. */
export const FLOODED = F_SYNCH;

/** A proper AN_ACP flood of a DULL neighbour, to which its initiator is added ({@link onLink}). */
export const IKEv2 = { loopCount: 1, flags: FLOODED, value: 'IKEv2' } as const;

/** The initiator field of a DULL neighbour: its link-local address. */
export const onLink = (peer: Peer): Buffer => addressBytes(peer.linkLocal);

/** An announcement E knows and can use. */
export interface Known {
  readonly address: string;
  readonly port: number | null;
  readonly method?: string;
}

/** What E makes of announcements, as soon as there are so many. */
export function listed(t: T, kind: string, count: number): Promise<Known[]> {
  return t.eventually(
    async () => (await t.engine.call('announced', { kind }))['announced'] as Known[],
    (found) => found.length === count,
    2000,
    `${count} usable announcements of ${kind}`,
  );
}
