/** View: sessions as conversations of two, side by side. */
import {
  result,
  saidAt,
  waitTook,
  type Conversation,
  type Speaker,
  type Utterance,
} from '../model/conversations.js';
import { asaOf } from '../model/engine.js';
import { duration, plural, sessionText, timeOfDay } from '../model/text.js';
import { emptyState, h, type Child, keyed, roving, row, setAttribute, setText } from './dom.js';
import type { Page, View } from './view.js';

/** Rows of the list. */
const ROWS = 80;
/** Width one conversation wants, px. */
const COLUMN_WIDTH = 380;
const MOST_COLUMNS = 4;
/** A pause that is worth a line, ms. */
const PAUSE_MS = 20;

export class ConversationView implements View {
  readonly element: HTMLElement;
  readonly #list = h('div', { class: 'rows', role: 'group', 'aria-label': 'Conversations' });
  readonly #listNote = h('p', { class: 'note' });
  readonly #filter = h('input', {
    type: 'search',
    placeholder: 'objective, name or outcome',
    'aria-label': 'Find by objective, name or outcome',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  readonly #columns = h('div', {
    class: 'columns',
    role: 'region',
    'aria-label': 'Conversations side by side',
    tabindex: 0,
  });
  readonly #empty = emptyState(
    'Nobody has said anything yet',
    'Sessions appear here as they happen. Try ',
    h('code', {}, 'grasp negotiate EX3 \'["NZD",300]\''),
    ' against ',
    h('code', {}, 'grasp offer EX3 \'["NZD",400]\''),
    ', or watch ',
    h('code', {}, 'grasp demo --inspect'),
    '.',
  );
  /** Those that stay when newer ones come, in the order they were picked. */
  readonly #pinned = new Set<string>();

  constructor(readonly page: Page) {
    const newest = h('button', { type: 'button', class: 'plain' }, 'Show the newest');
    newest.addEventListener('click', () => {
      this.#pinned.clear();
      page.changed();
    });
    this.element = h(
      'div',
      { class: 'conversations' },
      h(
        'div',
        { class: 'panel side' },
        h(
          'div',
          { class: 'find' },
          this.#filter,
          h('div', { class: 'find-row' }, h('span', { class: 'quiet' }, 'Pick to keep side by side'), newest),
        ),
        this.#list,
        this.#listNote,
      ),
      this.#columns,
    );
    this.#filter.addEventListener('input', () => page.changed());
    roving(this.#list, () => undefined);
  }

  focusFilter(): void {
    this.#filter.focus();
  }

  open(key: string): void {
    this.#pinned.add(key);
    this.page.changed();
  }

  render(): void {
    const listed = this.#listed();
    this.#renderList(listed);
    const shown = this.#shown(listed);
    if (shown.length === 0) {
      if (this.#empty.parentElement !== this.#columns) this.#columns.replaceChildren(this.#empty);
      return;
    }
    this.#empty.remove();
    keyed(this.#columns, shown, {
      key: ({ key }) => key,
      create: () => h('article', { class: 'conversation' }),
      update: (article, conversation) => this.#renderConversation(article as HTMLElement, conversation),
    });
  }

  /** Newest first. */
  #listed(): Conversation[] {
    const words = this.#filter.value.trim().toLowerCase().split(/\s+/);
    const node = this.page.node();
    return [...this.page.model.conversations.byKey.values()]
      .filter(
        ({ parties }) =>
          node === undefined || parties.initiator.node === node || parties.responder.node === node,
      )
      .filter((conversation) => {
        const texts = [
          conversation.objective,
          conversation.outcome ?? 'open',
          this.#name(conversation, 'initiator'),
          this.#name(conversation, 'responder'),
          sessionText(conversation.session),
        ].map((text) => text.toLowerCase());
        return words.every((word) => texts.some((text) => text.includes(word)));
      })
      .reverse();
  }

  #shown(listed: readonly Conversation[]): Conversation[] {
    const room = Math.max(1, Math.min(MOST_COLUMNS, Math.floor(this.#columns.clientWidth / COLUMN_WIDTH)));
    const pinned = listed.filter(({ key }) => this.#pinned.has(key));
    // What is picked is shown however many there are: the columns scroll.
    if (pinned.length > 0) return pinned;
    return listed.slice(0, room).reverse();
  }

  #name({ parties, objective }: Conversation, speaker: Speaker): string {
    const { node, thread, address } = parties[speaker];
    if (thread?.startsWith('asa:') === true) return thread.slice(4);
    const status = node === undefined ? undefined : this.page.model.engines.get(node)?.latest?.status;
    return (
      asaOf(status, objective, speaker) ??
      (node !== undefined && this.page.model.nodes.length > 1 ? node : undefined) ??
      address ??
      'this node'
    );
  }

  #renderList(listed: readonly Conversation[]): void {
    keyed(this.#list, listed.slice(0, ROWS), {
      key: ({ key }) => key,
      create: ({ key }) => {
        const button = row();
        button.addEventListener('click', () => {
          if (!this.#pinned.delete(key)) this.#pinned.add(key);
          this.page.changed();
        });
        return button;
      },
      update: (button, conversation) => {
        const [what, chip, who, when] = button.children;
        if (!what || !chip || !who || !when) return;
        setText(what, conversation.objective);
        setText(chip, conversation.outcome ?? 'talking');
        setAttribute(chip, 'data-tone', tone(conversation));
        setText(who, `${this.#name(conversation, 'initiator')} → ${this.#name(conversation, 'responder')}`);
        setText(when, timeOfDay(conversation.begunAt).slice(0, 8));
        setAttribute(button, 'aria-pressed', String(this.#pinned.has(conversation.key)));
      },
    });
    const rest = listed.length - ROWS;
    setText(this.#listNote, listed.length === 0 ? 'None yet.' : rest > 0 ? `and ${rest} older` : '');
  }

  #renderConversation(article: HTMLElement, conversation: Conversation): void {
    const names = {
      initiator: this.#name(conversation, 'initiator'),
      responder: this.#name(conversation, 'responder'),
    };
    // An open wait runs on without a message.
    const waiting =
      conversation.endedAt === undefined && conversation.utterances.at(-1)?.message === 'M_WAIT';
    const shown = `${conversation.version} ${names.initiator} ${names.responder}`;
    if (article.dataset['shown'] === shown && !waiting) return;
    article.dataset['shown'] = shown;
    const atEnd = article.scrollHeight - article.scrollTop - article.clientHeight < 60;
    article.replaceChildren(
      h(
        'header',
        {},
        h('h2', {}, conversation.objective),
        h(
          'p',
          { class: 'quiet' },
          `${conversation.dryRun ? 'dry-run ' : ''}${conversation.procedure} · ${sessionText(conversation.session)} · ${timeOfDay(conversation.begunAt)}`,
        ),
        h(
          'div',
          { class: 'parties' },
          party(names.initiator, 'initiator', conversation),
          party(names.responder, 'responder', conversation),
        ),
      ),
      h('ol', { class: 'bubbles' }, ...this.#bubbles(conversation, names)),
      ending(conversation, names, this.page.model.codes),
    );
    if (atEnd) article.scrollTop = article.scrollHeight;
  }

  #bubbles(conversation: Conversation, names: Readonly<Record<Speaker, string>>): HTMLElement[] {
    const { utterances } = conversation;
    return utterances.flatMap((utterance, i) => {
      const before = utterances[i - 1];
      const pause = before === undefined ? 0 : saidAt(utterance) - saidAt(before);
      const item =
        utterance.message === 'M_WAIT'
          ? waitBubble(conversation, utterance, names, this.page.now())
          : bubble(utterance, names);
      // A wait tells the time that follows it itself.
      if (pause < PAUSE_MS || before?.message === 'M_WAIT') return [item];
      return [h('li', { class: 'pause' }, h('span', {}, `after ${duration(pause)}`)), item];
    });
  }
}

function party(name: string, role: Speaker, { parties }: Conversation): HTMLElement {
  const { address } = parties[role];
  return h(
    'div',
    { class: `party ${role}` },
    h('span', { class: 'face', 'aria-hidden': 'true' }, initials(name)),
    h(
      'div',
      {},
      h('strong', {}, name),
      h('span', { class: 'quiet' }, role),
      address !== undefined && address !== name && h('span', { class: 'quiet', title: address }, address),
    ),
  );
}

function initials(name: string): string {
  const letters = [...name].filter((letter) => /[\p{L}\p{N}]/u.test(letter));
  return (letters[0] ?? '?').toUpperCase();
}

/** What is said, in words. */
function words({ message, speaker, accept, reason }: Utterance): string {
  switch (message) {
    case 'M_REQ_NEG':
      return 'asks for';
    case 'M_NEGOTIATE':
      return speaker === 'initiator' ? 'asks for' : 'offers';
    case 'M_REQ_SYN':
      return 'asks for the value';
    case 'M_SYNCH':
      return 'gives';
    case 'M_END':
      return accept === true ? 'accepts' : reason === undefined || reason === '' ? 'declines' : 'declines:';
    case 'M_INVALID':
      return 'does not understand';
    default:
      return 'says';
  }
}

function bubble(utterance: Utterance, names: Readonly<Record<Speaker, string>>): HTMLElement {
  const { speaker, message, value, loopCount, accept, reason } = utterance;
  const kind =
    message === 'M_END' ? (accept === true ? ' good' : ' warn') : message === 'M_INVALID' ? ' bad' : '';
  const said = message === 'M_REQ_SYN' ? undefined : (value ?? reason);
  return h(
    'li',
    { class: `bubble ${speaker}${kind}`, 'data-message': message },
    h('p', { class: 'words' }, h('span', { class: 'sr' }, `${names[speaker]} `), words(utterance)),
    said !== undefined && said !== '' && h('p', { class: 'said' }, value === undefined ? `“${said}”` : said),
    h(
      'p',
      { class: 'meta' },
      h('span', {}, message),
      loopCount !== undefined &&
        h('span', { title: 'loop count: how many messages may follow' }, `loop ${loopCount}`),
      h('time', {}, timeOfDay(saidAt(utterance))),
    ),
  );
}

/** M_WAIT: time as a bar, of which as much is filled as was, or is being, taken. */
function waitBubble(
  conversation: Conversation,
  wait: Utterance,
  names: Readonly<Record<Speaker, string>>,
  now: number,
): HTMLElement {
  const asked = wait.waitMs ?? 0;
  const took = waitTook(conversation, wait);
  const bar = h('progress', { max: Math.max(1, asked), value: Math.min(asked, took ?? now - saidAt(wait)) });
  bar.setAttribute('aria-label', 'time taken of the time asked for');
  const left = Math.max(0, asked - (now - saidAt(wait)));
  return h(
    'li',
    { class: `bubble wait ${wait.speaker}`, 'data-message': 'M_WAIT' },
    h(
      'p',
      { class: 'words' },
      h('span', { class: 'sr' }, `${names[wait.speaker]} `),
      'needs time, up to ',
      h('strong', {}, duration(asked)),
    ),
    bar,
    h(
      'p',
      { class: 'meta' },
      h('span', {}, 'M_WAIT'),
      h(
        'span',
        {},
        took === undefined ? `${duration(Math.round(left / 1000) * 1000)} left` : `took ${duration(took)}`,
      ),
      h('time', {}, timeOfDay(saidAt(wait))),
    ),
  );
}

function ending(
  conversation: Conversation,
  names: Readonly<Record<Speaker, string>>,
  codes: Readonly<Record<number, string>>,
): HTMLElement {
  const { outcome, endedAt, begunAt, utterances } = conversation;
  if (outcome === undefined) return h('footer', { class: 'open' }, turnOf(conversation, names));
  const took = endedAt === undefined ? '' : ` · ${duration(endedAt - begunAt)}`;
  return h(
    'footer',
    { class: tone(conversation) },
    h('p', {}, ...outcomeWords(conversation, codes)),
    h('p', { class: 'quiet' }, `${plural(utterances.length, 'message')}${took}`),
  );
}

function turnOf({ utterances }: Conversation, names: Readonly<Record<Speaker, string>>): string {
  const last = utterances.at(-1);
  if (last === undefined) return 'Connecting';
  const other = last.speaker === 'initiator' ? 'responder' : 'initiator';
  // Whoever asked for time has not given up the turn.
  return `${names[last.message === 'M_WAIT' ? last.speaker : other]} is thinking`;
}

function outcomeWords(conversation: Conversation, codes: Readonly<Record<number, string>>): Child[] {
  const { outcome, reason = '', code } = conversation;
  const value = h('code', {}, result(conversation) ?? '');
  switch (outcome) {
    case 'accepted':
      return ['Agreed on ', value];
    case 'synchronized':
      return ['Got ', value];
    case 'declined':
      return [reason === '' ? 'No agreement' : `No agreement: “${reason}”`];
    default: {
      const name = code === undefined ? undefined : `${codes[code] ?? 'code'} (${code})`;
      return [['Failed', name, reason === '' ? undefined : reason].filter(Boolean).join(': ')];
    }
  }
}

function tone({ outcome }: Conversation): string {
  switch (outcome) {
    case 'accepted':
    case 'synchronized':
      return 'good';
    case 'declined':
      return 'warn';
    case 'failed':
      return 'bad';
    case undefined:
      return 'live';
  }
}
