/** View: each machine's statechart, with the state that one session (or many) is in. */
import { matches, type ActorView, type Step } from '../model/actors.js';
import type { ChartLayout } from '../model/chart-layout.js';
import { census } from '../model/engine.js';
import { duration, machineTitle, plural, sessionText, short, timeOfDay } from '../model/text.js';
import { Chart } from './chart.js';
import { emptyState, h, keyed, roving, row, setAttribute, setText } from './dom.js';
import { factList, valueList } from './values.js';
import type { Page, View } from './view.js';

/** Rows of the list of sessions; a filter finds the others. */
const ROWS = 60;
/** Rows of the event log. */
const LOG_ROWS = 300;
/** Steps that come together are shown one after the other, this far apart. */
const STEP_APART_MS = 140;
const STEPS_AT_ONCE = 8;

/** What people ask for most comes first; others follow. */
const ORDER = [
  'negotiationSession',
  'synchronizationSession',
  'requestListener',
  'discoverySession',
  'discoveryResponse',
  'responseConnection',
  'discoveryRelay',
  'multicastHandler',
  'floodRelay',
  'unicastConnection',
  'binding',
  'workerSupervision',
];
const FIRST_MACHINE = 'negotiationSession';

function inOrder(layouts: readonly ChartLayout[]): ChartLayout[] {
  const place = ({ machine }: ChartLayout): number => {
    const at = ORDER.indexOf(machine);
    return at === -1 ? ORDER.length : at;
  };
  return [...layouts].sort((a, b) => place(a) - place(b));
}

export class MachinesView implements View {
  readonly element: HTMLElement;
  readonly #charts = new Map<string, Chart>();
  readonly #machineList = h('div', { class: 'machine-list', role: 'group', 'aria-label': 'Machines' });
  readonly #filter = h('input', {
    type: 'search',
    id: 'session-filter',
    placeholder: 'objective, peer or state',
    'aria-label': 'Find by objective, peer or state',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  readonly #follow = h('input', { type: 'checkbox', checked: true });
  readonly #actorList = h('div', { class: 'rows', role: 'group', 'aria-label': 'Sessions and other actors' });
  readonly #listNote = h('p', { class: 'note' });
  readonly #title = h('h2', {});
  readonly #summary = h('p', { class: 'summary' });
  readonly #stage = h('div', { class: 'stage', tabindex: 0, role: 'region', 'aria-label': 'Statechart' });
  readonly #details = h('aside', { class: 'panel details', 'aria-label': 'Details' });
  readonly #log = h('div', { class: 'log', role: 'group', 'aria-label': 'Events' });
  readonly #facts = h('div', {});
  #machine = FIRST_MACHINE;
  #picked: string | undefined;
  /** A step of the log that is looked at instead of the present; counts from the actor's first one. */
  #looked: number | undefined;
  #shownFacts = '';
  #nextStepAt = 0;
  /** What the chart was last scrolled to. */
  #revealed = '';

  readonly layouts: readonly ChartLayout[];

  constructor(
    readonly page: Page,
    layouts: readonly ChartLayout[],
  ) {
    this.layouts = inOrder(layouts);
    const all = h('button', { type: 'button', class: 'plain' }, 'Show all');
    all.addEventListener('click', () => this.#pick(undefined));
    this.#details.append(this.#facts, h('h3', {}, 'Events'), this.#log);
    this.element = h(
      'div',
      { class: 'machines' },
      h(
        'div',
        { class: 'panel side' },
        this.#machineList,
        h(
          'div',
          { class: 'find' },
          this.#filter,
          h('div', { class: 'find-row' }, h('label', {}, this.#follow, ' Follow the newest'), all),
        ),
        this.#actorList,
        this.#listNote,
      ),
      h(
        'div',
        { class: 'centre' },
        h('header', { class: 'view-head' }, this.#title, this.#summary),
        this.#stage,
      ),
      this.#details,
    );
    this.#filter.addEventListener('input', () => page.changed());
    this.#follow.addEventListener('change', () => page.changed());
    roving(this.#machineList, (key) => this.#choose(key));
    roving(this.#actorList, (key) => this.#pick(key));
    roving(this.#log, (key) => this.#look(Number(key)));
  }

  focusFilter(): void {
    this.#filter.focus();
  }

  reset(): void {
    this.#shownFacts = '';
    this.#nextStepAt = 0;
  }

  /** Shows this actor. */
  open(key: string): void {
    const actor = this.page.model.actors.byKey.get(key);
    if (actor === undefined) return;
    this.#machine = actor.machine;
    this.#pick(key);
  }

  stepped(actor: ActorView, step: Step): void {
    if (actor.machine !== this.#machine) return;
    const picked = this.#current();
    if (picked !== undefined && picked !== actor) return;
    const now = performance.now();
    // Without this, what happens within one batch would light up all at once.
    const at = Math.max(now, this.#nextStepAt);
    if (at - now > STEP_APART_MS * STEPS_AT_ONCE) return;
    this.#nextStepAt = at + STEP_APART_MS;
    setTimeout(() => this.#charts.get(actor.machine)?.flash(step.from, step.to, step.event.type), at - now);
  }

  render(): void {
    this.#renderMachines();
    const actor = this.#current();
    this.#renderActors(actor);
    this.#renderChart(actor);
    this.#renderDetails(actor);
  }

  /** The actor that is looked at: the picked one, else the newest one while it is followed. */
  #current(): ActorView | undefined {
    if (this.#follow.checked) return this.#listed()[0];
    return this.#picked === undefined ? undefined : this.page.model.actors.byKey.get(this.#picked);
  }

  #listed(): ActorView[] {
    const words = this.#filter.value.trim();
    const all = this.page.model.actors.of(this.#machine, this.page.node());
    return words === '' ? all : all.filter((actor) => matches(actor, words));
  }

  #choose(machine: string): void {
    if (machine === this.#machine) return;
    this.#machine = machine;
    this.#picked = undefined;
    this.#looked = undefined;
    this.page.changed();
  }

  #pick(key: string | undefined): void {
    this.#follow.checked = false;
    this.#picked = key;
    this.#looked = undefined;
    this.page.changed();
  }

  #look(step: number): void {
    const actor = this.#current();
    if (actor === undefined) return;
    this.#follow.checked = false;
    this.#picked = actor.key;
    this.#looked = step;
    this.page.changed();
  }

  /** Live actors by state. The engine's own count is right whatever share is shown, but up to a second old. */
  #counts(machine: string): Map<string, number> {
    const counted = this.#census(machine);
    const live = this.page.model.actors
      .of(machine, this.page.node())
      .filter(({ status }) => status === 'active');
    const total = [...counted.values()].reduce((sum, n) => sum + n, 0);
    if (live.length !== total) return counted;
    const counts = new Map<string, number>();
    for (const { state } of live) counts.set(state, (counts.get(state) ?? 0) + 1);
    return counts;
  }

  #census(machine: string): Map<string, number> {
    const counts = new Map<string, number>();
    for (const [name, { latest }] of this.page.model.engines) {
      if (this.page.node() !== undefined && this.page.node() !== name) continue;
      for (const [state, n] of census(latest?.status, machine))
        counts.set(state, (counts.get(state) ?? 0) + n);
    }
    return counts;
  }

  #renderMachines(): void {
    keyed(this.#machineList, this.layouts, {
      key: ({ machine }) => machine,
      create: ({ machine }) => {
        const button = h(
          'button',
          { type: 'button', class: 'row machine' },
          h('span', {}, machineTitle(machine)),
          h('span', { class: 'count' }),
        );
        button.addEventListener('click', () => this.#choose(machine));
        return button;
      },
      update: (button, { machine }) => {
        const n = [...this.#counts(machine).values()].reduce((sum, count) => sum + count, 0);
        button.classList.toggle('live', n > 0);
        setAttribute(button, 'aria-pressed', String(machine === this.#machine));
        const count = button.querySelector('.count');
        if (count) setText(count, n === 0 ? '' : short(n));
      },
    });
  }

  #renderActors(current: ActorView | undefined): void {
    const listed = this.#listed();
    keyed(this.#actorList, listed.slice(0, ROWS), {
      key: ({ key }) => key,
      create: ({ key }) => {
        const button = row();
        button.addEventListener('click', () => this.#pick(key));
        return button;
      },
      update: (button, actor) => {
        const [what, chip, who, when] = button.children;
        if (!what || !chip || !who || !when) return;
        setText(what, actor.about.objective ?? actor.about.worker ?? actor.about.interface ?? actor.thread);
        setText(chip, actor.outcome?.outcome ?? actor.state);
        setAttribute(chip, 'data-tone', tone(actor));
        setText(who, [actor.about.role, actor.about.peer ?? actor.node].filter(Boolean).join(' · '));
        setText(when, timeOfDay(actor.begunAt).slice(0, 8));
        setAttribute(button, 'aria-pressed', String(actor === current));
      },
    });
    const rest = listed.length - ROWS;
    setText(this.#listNote, listed.length === 0 ? this.#nothing() : rest > 0 ? `and ${rest} older` : '');
  }

  #nothing(): string {
    if (this.#filter.value.trim() !== '') return 'Nothing matches.';
    return 'None seen yet.';
  }

  #chart(): Chart | undefined {
    let chart = this.#charts.get(this.#machine);
    const layout = this.layouts.find(({ machine }) => machine === this.#machine);
    if (chart === undefined && layout !== undefined) {
      chart = new Chart(layout);
      this.#charts.set(this.#machine, chart);
    }
    return chart;
  }

  #renderChart(actor: ActorView | undefined): void {
    const chart = this.#chart();
    if (chart === undefined) {
      this.#stage.replaceChildren(
        emptyState('No such machine', 'This page and its server are of different versions.'),
      );
      return;
    }
    if (chart.element.parentElement !== this.#stage) {
      this.#stage.replaceChildren(chart.element);
      this.#stage.scrollTo(0, 0);
    }
    setText(this.#title, machineTitle(this.#machine));
    const counts = this.#counts(this.#machine);
    const live = [...counts.values()].reduce((sum, n) => sum + n, 0);
    if (actor === undefined) {
      setText(
        this.#summary,
        live === 0 ? 'None at the moment.' : `${plural(live, 'actor')} now, counted on the states.`,
      );
      chart.show({ state: undefined, visited: new Set(), counts });
      return;
    }
    const { visited, state } = wayOf(actor, this.#looked);
    const past = this.#looked === undefined ? '' : ' (as it was then)';
    setText(this.#summary, `${titleOf(actor)}: ${state}${past}. ${plural(live, 'actor')} now.`);
    chart.show({ state, visited, counts });
    const shown = `${actor.key} ${state}`;
    if (shown !== this.#revealed) chart.reveal(state, this.#stage);
    this.#revealed = shown;
  }

  #renderDetails(actor: ActorView | undefined): void {
    if (actor === undefined) {
      if (this.#shownFacts === 'nothing') return;
      this.#shownFacts = 'nothing';
      this.#facts.replaceChildren(
        emptyState('Nothing is picked', 'Pick a session on the left, or let the page follow the newest one.'),
      );
      this.#log.replaceChildren();
      return;
    }
    const looked = this.#looked;
    const shown = `${actor.key} ${actor.version} ${looked ?? ''}`;
    if (shown === this.#shownFacts) return;
    this.#shownFacts = shown;
    const step = looked === undefined ? undefined : actor.steps[looked - actor.forgotten];
    const { about } = actor;
    this.#facts.replaceChildren(
      h('h2', {}, titleOf(actor)),
      factList({
        state: step?.to ?? actor.state,
        outcome: outcomeOf(actor, this.page.model.codes),
        role: about.role,
        peer: about.peer,
        session: about.session === undefined ? undefined : sessionText(about.session),
        interface: about.interface,
        worker: about.worker,
        node: this.page.model.nodes.length > 1 ? actor.node : undefined,
        thread: actor.thread,
        lasted: actor.endedAt === undefined ? undefined : duration(actor.endedAt - actor.begunAt),
      }),
      h('h3', {}, 'Context'),
      valueList(step?.context ?? actor.context),
      ...(step === undefined ? [] : [h('h3', {}, `Event ${step.event.type}`), valueList(dataOf(step))]),
    );
    this.#renderLog(actor);
  }

  #renderLog(actor: ActorView): void {
    // Numbered from the first step there was: that stays when old ones are forgotten.
    const numbered = actor.steps.map((step, i) => ({ step, n: actor.forgotten + i })).slice(-LOG_ROWS);
    const rows = numbered.map((row) => ({ ...row, key: String(row.n) }));
    keyed(this.#log, rows, {
      key: ({ key }) => key,
      create: ({ step, n }) => {
        const button = h(
          'button',
          { type: 'button', class: 'row event' },
          h('span', { class: 'when' }, `+${duration(step.at - actor.begunAt)}`),
          h('span', { class: 'what' }, step.event.type),
          h('span', { class: 'to' }, step.from === step.to ? '' : `→ ${step.to}`),
        );
        button.addEventListener('click', () => this.#look(n));
        return button;
      },
      update: (button, { n }) => setAttribute(button, 'aria-pressed', String(n === this.#looked)),
    });
    // The numbers of another actor's steps are the same.
    if (this.#log.dataset['of'] !== actor.key) {
      this.#log.dataset['of'] = actor.key;
      this.#log.replaceChildren();
      this.#renderLog(actor);
    }
  }
}

function titleOf({ about, machine }: ActorView): string {
  return about.objective ?? about.interface ?? about.worker ?? machineTitle(machine);
}

function outcomeOf({ outcome }: ActorView, codes: Readonly<Record<number, string>>): string | undefined {
  if (outcome?.outcome === undefined) return undefined;
  const { code } = outcome;
  const why = code === undefined ? outcome.reason : `${codes[code] ?? 'code'} ${code}`;
  return why === undefined || why === '' ? outcome.outcome : `${outcome.outcome} (${why})`;
}

function dataOf({ event }: Step): Readonly<Record<string, (typeof event)[string]>> {
  const { type: _type, ...data } = event;
  return data;
}

function tone({ outcome, status }: ActorView): string {
  if (outcome?.outcome === 'accepted' || outcome?.outcome === 'synchronized') return 'good';
  if (outcome?.outcome === 'declined') return 'warn';
  if (outcome?.outcome === 'failed' || status === 'error') return 'bad';
  return status === 'active' ? 'live' : 'over';
}

/** The states an actor has been in and the ways it took, up to a step of its log. */
function wayOf(actor: ActorView, looked: number | undefined): { visited: Set<string>; state: string } {
  const until = looked === undefined ? actor.steps.length : looked - actor.forgotten + 1;
  const steps = actor.steps.slice(0, Math.max(0, until));
  const visited = new Set<string>(steps.length === 0 ? [] : [steps[0]?.from ?? '']);
  for (const { from, to } of steps) {
    visited.add(to);
    if (from !== to) visited.add(`${from}>${to}`);
  }
  return { visited, state: steps.at(-1)?.to ?? actor.first.state };
}
