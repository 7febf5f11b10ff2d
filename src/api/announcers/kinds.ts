/** The infrastructure objectives that are announced by floods, as a table: RFC 8994 §6.2.5.1, §6.4, RFC 8995 §4. */

/** What the announcements of one objective have in common. */
export interface AnnouncedKind {
  readonly objective: string;
  /** In a DULL instance, on one link; or through the whole network of a protected one (RFC 8994 §6.4, RFC 8995 §4.3). */
  readonly scope: 'link' | 'network';
  /** 1 on a link (RFC 8990 §2.5.2), 255 in the ACP. */
  readonly loopCount: number;
  /** ttl of a flood, in periods: several may be lost before receivers forget it. */
  readonly periodsToLive: number;
  /** ms; the shortest period allowed. */
  readonly minPeriodMs: number;
}

/** ms; RFC 8994 §6.4 and §6.2.5.1, RFC 8995 §4.3. */
export const DEF_ANNOUNCE_PERIOD_MS = 60_000;

/** RFC 8085 §3.1.3: not more than one datagram in three seconds without feedback. */
const PACED_MS = 3_000;

/** RFC 8994 §6.4: ttl 210000, 3.5 times the period. */
export const AN_ACP: AnnouncedKind = {
  objective: 'AN_ACP',
  scope: 'link',
  loopCount: 1,
  periodsToLive: 3.5,
  minPeriodMs: PACED_MS,
};

/** RFC 8995 §4.1.1: ttl 180000. It names no period; this is the one of RFC 8994 §6.4. */
export const AN_PROXY: AnnouncedKind = {
  objective: 'AN_Proxy',
  scope: 'link',
  loopCount: 1,
  periodsToLive: 3,
  minPeriodMs: PACED_MS,
};

/** RFC 8994 §6.2.5.1: ttl 3.5 times the period, which "SHOULD NOT" be less than 60 s. */
export const SRV_EST: AnnouncedKind = {
  objective: 'SRV.est',
  scope: 'network',
  loopCount: 255,
  periodsToLive: 3.5,
  minPeriodMs: DEF_ANNOUNCE_PERIOD_MS,
};

/** RFC 8995 §4.3: ttl 180000, and a period that "SHOULD NOT" be less than 60 s. */
export const AN_JOIN_REGISTRAR: AnnouncedKind = {
  objective: 'AN_join_registrar',
  scope: 'network',
  loopCount: 255,
  periodsToLive: 3,
  minPeriodMs: DEF_ANNOUNCE_PERIOD_MS,
};
