/**
 * The inspector's page. It runs in a browser, so this folder reads the browser's time; of the project it imports the
 * model and the feed's types only. Everything it shows goes through `dom.ts`, as text.
 */
import type { ActorView, Step } from '../model/actors.js';
import type { ChartLayout } from '../model/chart-layout.js';
import { Model } from '../model/model.js';
import { percentage } from '../model/text.js';
import { Connection, type ConnectionState } from './connection.js';
import { ConversationView } from './conversation.js';
import { h, keyed, setAttribute, setText } from './dom.js';
import { EngineView } from './engine.js';
import { MachinesView } from './machines.js';
import { NetworkView } from './network.js';
import type { Page, View } from './view.js';

/** Least time between two renderings, ms: a page with thousands of items a second stays usable. */
const RENDER_APART_MS = 100;
/** Ages and lifetimes run on without news. */
const TICK_MS = 1_000;

const TITLES: Readonly<Record<ConnectionState, string>> = {
  connecting: 'connecting',
  live: 'live',
  lost: 'connection lost, trying again',
  paused: 'paused',
};

function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page lacks #${id}`);
  return element;
}

class InspectorPage implements Page {
  readonly model = new Model({
    reset: () => {
      for (const view of this.#views.values()) view.reset?.();
    },
    stepped: (actor: ActorView, step: Step) => this.#views.get(this.#view)?.stepped?.(actor, step),
  });
  readonly #main = byId('view', HTMLElement);
  readonly #nodeChoice = byId('node-choice', HTMLElement);
  readonly #node = byId('node', HTMLSelectElement);
  readonly #share = byId('share', HTMLElement);
  readonly #status = byId('connection', HTMLElement);
  readonly #pause = byId('pause', HTMLButtonElement);
  readonly #keys = byId('keys', HTMLDialogElement);
  readonly #machines: MachinesView;
  readonly #conversations: ConversationView;
  readonly #views: ReadonlyMap<string, View>;
  readonly #connection = new Connection(
    (message) => {
      this.model.take(message, Date.now());
      this.changed();
    },
    (state) => this.#connectionIs(state),
  );
  #view = '';
  #planned = false;
  #renderedAt = 0;

  constructor(layouts: readonly ChartLayout[]) {
    this.#machines = new MachinesView(this, layouts);
    this.#conversations = new ConversationView(this);
    this.#views = new Map<string, View>([
      ['machines', this.#machines],
      ['conversation', this.#conversations],
      ['network', new NetworkView(this)],
      ['engine', new EngineView(this)],
    ]);
    this.#node.addEventListener('change', () => this.changed());
    this.#pause.addEventListener('click', () => this.#togglePause());
    byId('help', HTMLButtonElement).addEventListener('click', () => this.#keys.showModal());
    addEventListener('hashchange', () => this.#route());
    addEventListener('keydown', (event) => this.#key(event));
    addEventListener('resize', () => this.changed());
    setInterval(() => this.changed(), TICK_MS);
    this.#route();
    this.#connection.open();
  }

  node(): string | undefined {
    return this.#node.value === '' ? undefined : this.#node.value;
  }

  now(): number {
    return Date.now() + this.model.clockOffset;
  }

  go(view: string, pick?: string): void {
    if (pick !== undefined && view === 'machines') this.#machines.open(pick);
    if (pick !== undefined && view === 'conversation') this.#conversations.open(pick);
    location.hash = view;
  }

  changed(): void {
    if (this.#planned) return;
    this.#planned = true;
    const wait = Math.max(0, this.#renderedAt + RENDER_APART_MS - performance.now());
    setTimeout(() => requestAnimationFrame(() => this.#render()), wait);
  }

  #render(): void {
    this.#planned = false;
    this.#renderedAt = performance.now();
    this.#renderBar();
    this.#views.get(this.#view)?.render();
  }

  #renderBar(): void {
    const { nodes, share } = this.model;
    this.#nodeChoice.hidden = nodes.length < 2;
    keyed(this.#node, ['', ...nodes], {
      key: (name) => `node ${name}`,
      create: (name) => h('option', { value: name }, name === '' ? 'all' : name),
    });
    this.#share.hidden = share >= 1;
    setText(this.#share, `${percentage(share)} of the sessions shown`);
  }

  #route(): void {
    const asked = location.hash.slice(1);
    const name = this.#views.has(asked) ? asked : 'machines';
    if (name === this.#view) return;
    this.#view = name;
    for (const link of document.querySelectorAll<HTMLElement>('nav [data-view]')) {
      setAttribute(link, 'aria-current', link.dataset['view'] === name ? 'page' : undefined);
    }
    const view = this.#views.get(name);
    if (view) this.#main.replaceChildren(view.element);
    this.#render();
  }

  #connectionIs(state: ConnectionState): void {
    setText(this.#status, TITLES[state]);
    setAttribute(this.#status, 'data-state', state);
    setText(this.#pause, state === 'paused' ? 'Go on' : 'Pause');
  }

  #togglePause(): void {
    if (this.#connection.state === 'paused') this.#connection.open();
    else this.#connection.pause();
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof HTMLInputElement && event.target.type !== 'checkbox';
    if (typing || this.#keys.open || event.target instanceof HTMLSelectElement) return;
    const view = [...this.#views.keys()][Number(event.key) - 1];
    if (view !== undefined) location.hash = view;
    else if (event.key === 'p') this.#togglePause();
    else if (event.key === '?') this.#keys.showModal();
    else if (event.key === '/') {
      if (this.#view === 'conversation') this.#conversations.focusFilter();
      else {
        location.hash = 'machines';
        this.#route();
        this.#machines.focusFilter();
      }
    } else return;
    event.preventDefault();
  }
}

const answer = await fetch('/page/charts.json');
new InspectorPage((await answer.json()) as ChartLayout[]);
