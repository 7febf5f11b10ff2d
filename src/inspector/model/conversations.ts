/** What is said in sessions, as a conversation of two: who said what, how long it took, and how it ended. */
import type { InspectedMessage, InspectedSession, MessageName, SessionOutcome } from '../feed.js';

/** Most conversations that are kept; the oldest goes first. */
export const CONVERSATIONS_KEPT = 400;

export type Speaker = 'initiator' | 'responder';

/** Bit of the objective flags: a dry run (RFC 8990 §2.10.2). */
const F_NEG_DRY = 1 << 3;

/** One message between the two, as one side or both have told of it. */
export interface Utterance {
  readonly speaker: Speaker;
  readonly message: MessageName;
  /** CBOR diagnostic notation. */
  readonly value: string | undefined;
  readonly loopCount: number | undefined;
  /** M_WAIT: ms asked for. */
  readonly waitMs: number | undefined;
  readonly accept: boolean | undefined;
  /** Of a decline, or what an M_INVALID says. */
  readonly reason: string | undefined;
  sentAt: number | undefined;
  receivedAt: number | undefined;
}

/** One of the two. */
export interface Party {
  /** A node that is watched here. */
  node?: string;
  /** Thread of its session. */
  thread?: string;
  /** As the other side sees it. */
  address?: string;
}

export interface Conversation {
  readonly key: string;
  readonly session: number;
  readonly procedure: 'negotiation' | 'synchronization';
  objective: string;
  dryRun: boolean;
  readonly parties: Readonly<Record<Speaker, Party>>;
  /** In the order they were said. */
  readonly utterances: Utterance[];
  readonly begunAt: number;
  endedAt: number | undefined;
  outcome: SessionOutcome | undefined;
  reason: string | undefined;
  code: number | undefined;
  version: number;
}

/** When it was said, as well as it is known. */
export const saidAt = ({ sentAt, receivedAt }: Utterance): number => sentAt ?? receivedAt ?? 0;

/** The value that both agreed on, or that was got. */
export function result(conversation: Conversation): string | undefined {
  const { outcome, utterances } = conversation;
  if (outcome !== 'accepted' && outcome !== 'synchronized') return undefined;
  return utterances.findLast(({ value }) => value !== undefined)?.value;
}

/** How long a wait took: until whoever asked for it said something; undefined while it lasts. */
export function waitTook(conversation: Conversation, wait: Utterance): number | undefined {
  const at = conversation.utterances.indexOf(wait);
  const next = conversation.utterances.slice(at + 1).find(({ speaker }) => speaker === wait.speaker);
  if (next !== undefined) return saidAt(next) - saidAt(wait);
  return conversation.endedAt === undefined ? undefined : conversation.endedAt - saidAt(wait);
}

const other = (speaker: Speaker): Speaker => (speaker === 'initiator' ? 'responder' : 'initiator');

export class Conversations {
  /** Oldest first. */
  readonly byKey = new Map<string, Conversation>();
  /** How many messages of each speaker each side of a conversation has told of. */
  readonly #told = new Map<string, number>();
  readonly #ofActor = new Map<string, Conversation>();

  /** A message of a session's stream; others are nobody's conversation. */
  said(node: string, item: InspectedMessage): void {
    if (item.via !== 'stream' || item.role === undefined || item.message === 'M_NOOP') return;
    const conversation =
      (item.actor === undefined ? undefined : this.#ofActor.get(`${node} ${item.actor}`)) ??
      this.#begun(node, item);
    if (conversation === undefined) return;
    const speaker = item.direction === 'sent' ? item.role : other(item.role);
    meet(conversation, node, item.role, item.thread, item.peer);
    const teller = `${conversation.key} ${node} ${item.role} ${speaker}`;
    const index = this.#told.get(teller) ?? 0;
    this.#told.set(teller, index + 1);
    // The other side may have told of it already.
    let utterance = conversation.utterances.filter((each) => each.speaker === speaker)[index];
    if (utterance === undefined) {
      utterance = toUtterance(speaker, item);
      conversation.utterances.push(utterance);
    }
    if (item.direction === 'sent') utterance.sentAt = item.at;
    else utterance.receivedAt = item.at;
    conversation.utterances.sort((a, b) => saidAt(a) - saidAt(b));
    const [objective] = item.objectives;
    if (objective !== undefined && (objective.flags & F_NEG_DRY) !== 0) conversation.dryRun = true;
    conversation.version++;
  }

  session(node: string, item: InspectedSession): void {
    const { session, role, objective, peer } = item.about;
    if (role === 'relay') return;
    const known = this.#ofActor.get(`${node} ${item.actor}`);
    if (known === undefined && session === undefined) return;
    const conversation =
      known ?? this.#open(node, item.actor, session ?? 0, objective ?? '', item.procedure, item.at);
    if (role !== undefined) meet(conversation, node, role, item.thread, peer);
    if (objective !== undefined) conversation.objective = objective;
    if (item.phase === 'ended' && item.outcome !== undefined) end(conversation, item, item.outcome);
    conversation.version++;
  }

  #begun(node: string, item: InspectedMessage): Conversation | undefined {
    if (item.session === undefined || item.actor === undefined) return undefined;
    const [objective] = item.objectives;
    const procedure =
      item.message === 'M_REQ_SYN' || item.message === 'M_SYNCH' ? 'synchronization' : 'negotiation';
    return this.#open(node, item.actor, item.session, objective?.name ?? '', procedure, item.at);
  }

  #open(
    node: string,
    actor: string,
    session: number,
    objective: string,
    procedure: Conversation['procedure'],
    at: number,
  ): Conversation {
    // Both sides may be watched: they have the session id in common (and the objective, to be sure).
    const key = `${session} ${procedure}`;
    let conversation = this.byKey.get(key);
    if (conversation === undefined) {
      conversation = {
        key,
        session,
        procedure,
        objective,
        dryRun: false,
        parties: { initiator: {}, responder: {} },
        utterances: [],
        begunAt: at,
        endedAt: undefined,
        outcome: undefined,
        reason: undefined,
        code: undefined,
        version: 1,
      };
      this.byKey.set(key, conversation);
    }
    this.#ofActor.set(`${node} ${actor}`, conversation);
    this.#bound();
    return conversation;
  }

  #bound(): void {
    if (this.byKey.size <= CONVERSATIONS_KEPT) return;
    const ended = [...this.byKey.values()].find(({ endedAt }) => endedAt !== undefined);
    const oldest = ended ?? this.byKey.values().next().value;
    if (oldest === undefined) return;
    this.byKey.delete(oldest.key);
    for (const [actor, conversation] of this.#ofActor)
      if (conversation === oldest) this.#ofActor.delete(actor);
    for (const teller of this.#told.keys())
      if (teller.startsWith(`${oldest.key} `)) this.#told.delete(teller);
  }
}

function meet(
  { parties }: Conversation,
  node: string,
  role: Speaker,
  thread: string,
  peer: string | undefined,
): void {
  parties[role].node = node;
  parties[role].thread = thread;
  if (peer !== undefined) parties[other(role)].address = peer;
}

function toUtterance(speaker: Speaker, item: InspectedMessage): Utterance {
  const [objective] = item.objectives;
  return {
    speaker,
    message: item.message,
    value: objective?.value,
    loopCount: objective?.loopCount,
    waitMs: item.waitMs,
    accept: item.accept,
    reason: item.reason ?? item.info,
    sentAt: undefined,
    receivedAt: undefined,
  };
}

/** What one side calls a failure (the other closed) the other may know better. */
function end(conversation: Conversation, item: InspectedSession, outcome: SessionOutcome): void {
  conversation.endedAt = Math.min(conversation.endedAt ?? Infinity, item.at);
  const known = conversation.outcome;
  if (known !== undefined && (known !== 'failed' || outcome === 'failed')) return;
  conversation.outcome = outcome;
  conversation.reason = item.reason;
  conversation.code = item.code;
}
