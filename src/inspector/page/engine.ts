/** View: the engines themselves: threads, actors, mailboxes, counters with the reasons of what was dropped, rates. */
import type { EngineStatus, ThreadStatus } from '../feed.js';
import { countOf, SESSION_MACHINES, type EngineHistory } from '../model/engine.js';
import { machineTitle, plural, short } from '../model/text.js';
import { block, emptyState, h, keyed, setAttribute, setText, table } from './dom.js';
import { Plot, sparkline } from './plot.js';
import type { Page, View } from './view.js';

/** Samples a sparkline is made of. */
const SPARK_SAMPLES = 60;

/** Words in the names of counters that say why something was not done; the others count what was. */
const DROPS =
  /full|limit|dropped|too-|refused|evicted|shed|overload|failed|crashed|timeout|unknown|invalid|malformed|ignored|out-of|no-|lost|unmatched|unreachable|exhausted|spent|memory|rate|backlog|clash|incomplete|error/;

export class EngineView implements View {
  readonly element = h('div', { class: 'engines' });
  readonly #cards = new Map<string, EngineCard>();
  readonly #empty = emptyState('No status yet', 'It comes within a second of the connection.');

  constructor(readonly page: Page) {}

  reset(): void {
    this.#cards.clear();
    this.element.replaceChildren();
  }

  render(): void {
    const node = this.page.node();
    const shown = [...this.page.model.engines].filter(([name]) => node === undefined || node === name);
    if (shown.every(([, history]) => history.latest === undefined)) {
      this.element.replaceChildren(this.#empty);
      return;
    }
    this.#empty.remove();
    keyed(this.element, shown, {
      key: ([name]) => name,
      create: ([name]) => {
        const card = new EngineCard(name);
        this.#cards.set(name, card);
        return card.element;
      },
      update: (_element, [name, history]) => this.#cards.get(name)?.render(history, this.page),
    });
  }
}

class EngineCard {
  readonly element: HTMLElement;
  readonly #head = h('p', { class: 'summary' });
  readonly #sessions = new Plot('Sessions open', '');
  readonly #multicasts = new Plot('Multicasts heard', '/s');
  readonly #drops = new Plot('Dropped and refused', '/s');
  readonly #waiting = new Plot('Fullest mailbox', ' %');
  readonly #threads = h('tbody', {});
  readonly #queues = h('div', { class: 'meters' });
  readonly #emptyQueues = h('p', { class: 'quiet' });
  readonly #drop = h('tbody', {});
  readonly #done = h('tbody', {});
  readonly #noDrops = h('p', { class: 'quiet' }, 'Nothing has been dropped or refused.');

  constructor(readonly name: string) {
    this.element = h(
      'section',
      { class: 'engine-card' },
      h('header', { class: 'view-head' }, h('h2', {}, name), this.#head),
      h(
        'div',
        { class: 'plots' },
        ...[this.#sessions, this.#multicasts, this.#drops, this.#waiting].map(({ element }) => element),
      ),
      h(
        'div',
        { class: 'tables' },
        block('Threads', table(['thread', 'state', 'restarts', 'actors'], this.#threads)),
        block('Mailboxes and memories, the fullest first', this.#queues, this.#emptyQueues),
        block(
          'Dropped and refused, by reason',
          this.#noDrops,
          table(['reason', 'total', 'per second', ''], this.#drop),
        ),
        block('Done', table(['what', 'total', 'per second', ''], this.#done)),
      ),
    );
  }

  render(history: EngineHistory, page: Page): void {
    const { latest } = history;
    if (latest === undefined) return;
    const { status } = latest;
    const now = page.now();
    const over = page.model.ended.has(this.name) ? 'closed · ' : '';
    const interfaces = status.interfaces.map(({ name }) => name).join(', ') || 'no interface';
    const asas = status.asas.map(({ name }) => name).join(', ') || 'none';
    setText(this.#head, `${over}${interfaces} · security ${status.security} · ASAs: ${asas}`);
    this.#sessions.render(
      history.series((s) => countOf(s, SESSION_MACHINES)),
      now,
    );
    this.#multicasts.render(
      history.rates((s) => s.counters['multicast.received'] ?? 0),
      now,
    );
    this.#drops.render(history.rates(dropsOf), now);
    this.#waiting.render(history.series(fullest), now);
    this.#renderThreads(status.threads);
    this.#renderQueues(status.threads);
    const counters = Object.entries(status.counters);
    const dropped = counters.filter(([name]) => DROPS.test(name));
    this.#noDrops.hidden = dropped.length > 0;
    this.#renderCounters(this.#drop, dropped, history, now);
    this.#renderCounters(
      this.#done,
      counters.filter(([name]) => !DROPS.test(name)),
      history,
      now,
    );
  }

  #renderThreads(threads: readonly ThreadStatus[]): void {
    keyed(this.#threads, threads, {
      key: ({ name }) => name,
      create: () =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }),
          h('td', {}, h('span', { class: 'chip' })),
          h('td', { class: 'number' }),
          h('td', { class: 'actors' }),
        ),
      update: (row, { name, state, restarts, actors }) => {
        const [title, how, often, who] = row.children;
        if (!title || !how || !often || !who) return;
        setText(title, name);
        const chip = how.firstElementChild;
        if (chip) {
          setText(chip, state);
          setAttribute(chip, 'data-tone', state === 'running' ? 'good' : 'warn');
        }
        setText(often, String(restarts));
        const counts = new Map<string, number>();
        for (const { machine, state: at, count } of actors) {
          const text = `${machineTitle(machine)} ${at}`;
          counts.set(text, (counts.get(text) ?? 0) + count);
        }
        const texts = [...counts].map(([text, n]) => (n > 1 ? `${text} × ${n}` : text));
        keyed(who, texts, { key: (text) => text, create: (text) => h('span', { class: 'tag' }, text) });
      },
    });
  }

  #renderQueues(threads: readonly ThreadStatus[]): void {
    const all = threads.flatMap(({ name: thread, queues: of }) => of.map((queue) => ({ thread, ...queue })));
    const queues = all
      .filter(({ length }) => length > 0)
      .sort((a, b) => b.length / b.limit - a.length / a.limit);
    const empty = all.length - queues.length;
    setText(this.#emptyQueues, empty === 0 ? '' : `${plural(empty, 'other is', 'others are')} empty.`);
    keyed(this.#queues, queues, {
      key: ({ thread, name }) => `${thread} ${name}`,
      create: ({ thread, name }) =>
        h(
          'label',
          { class: 'meter' },
          h('span', {}, `${thread} · ${name}`),
          h('progress', {}),
          h('span', { class: 'number' }),
        ),
      update: (label, { length, limit }) => {
        const meter = label.querySelector('progress');
        const number = label.querySelector('.number');
        if (!meter || !number) return;
        setAttribute(meter, 'max', String(Math.max(1, limit)));
        meter.value = length;
        setText(number, `${short(length)} of ${short(limit)}`);
      },
    });
  }

  #renderCounters(
    body: Element,
    counters: readonly [string, number][],
    history: EngineHistory,
    now: number,
  ): void {
    const sorted = [...counters].sort(([a], [b]) => a.localeCompare(b, 'en'));
    keyed(body, sorted, {
      key: ([name]) => name,
      create: ([name]) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, name),
          h('td', { class: 'number' }),
          h('td', { class: 'number' }),
          h('td', { class: 'spark-cell' }),
        ),
      update: (row, [name, total]) => {
        const [, sum, rate, line] = row.children;
        if (!sum || !rate || !line) return;
        const rates = history.rates(({ counters: all }) => all[name] ?? 0);
        setText(sum, total.toLocaleString('en'));
        const latest = rates.at(-1)?.value ?? 0;
        setText(rate, latest === 0 ? '' : short(latest));
        line.replaceChildren(sparkline(rates.slice(-SPARK_SAMPLES), now));
      },
    });
  }
}

function dropsOf({ counters }: EngineStatus): number {
  return Object.entries(counters).reduce((sum, [name, n]) => (DROPS.test(name) ? sum + n : sum), 0);
}

/** Of all mailboxes, how full the fullest is, per cent. */
function fullest({ threads }: EngineStatus): number {
  const shares = threads.flatMap(({ queues }) =>
    queues.map(({ length, limit }) => (limit > 0 ? length / limit : 0)),
  );
  return Math.round(Math.max(0, ...shares) * 100);
}
