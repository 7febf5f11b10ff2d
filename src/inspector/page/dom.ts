/**
 * Elements from TypeScript. Everything that is shown may come from the network, so text becomes text nodes and
 * attributes only: nothing here takes markup, and the page's policy (trusted types) refuses it besides.
 */

export type Child = Node | string | number | false | undefined;
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Attributes whose value would be more than a text. */
const NEVER = /^(?:on|style$|srcdoc$|src$|formaction$)/i;

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (NEVER.test(name)) throw new Error(`${name} is not set from data`);
    if (value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

function append(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === false || child === undefined) continue;
    element.append(typeof child === 'number' ? String(child) : child);
  }
}

/** An HTML element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  set(element, attributes);
  append(element, children);
  return element;
}

/** An SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  set(element, attributes);
  append(element, children);
  return element;
}

/** Changes the text only if it is another one: a screen reader hears of changes. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Changes an attribute only if it is another one. */
export function setAttribute(element: Element, name: string, value: string | undefined): void {
  if (value === undefined) {
    if (element.hasAttribute(name)) set(element, { [name]: undefined });
  } else if (element.getAttribute(name) !== value) set(element, { [name]: value });
}

export interface Keyed<T> {
  readonly key: (item: T) => string;
  readonly create: (item: T) => HTMLElement | SVGElement;
  /** Called for new ones too. */
  readonly update?: (element: HTMLElement | SVGElement, item: T) => void;
}

/** Makes the children of `parent` those of `items`: elements stay what they are, with their focus, while their key does. */
export function keyed<T>(parent: Element, items: readonly T[], { key, create, update }: Keyed<T>): void {
  const before = new Map<string, HTMLElement | SVGElement>();
  for (const child of parent.children) {
    const of = (child as HTMLElement).dataset['key'];
    if (of !== undefined) before.set(of, child as HTMLElement);
  }
  let place: Element | null = parent.firstElementChild;
  for (const item of items) {
    const of = key(item);
    let element = before.get(of);
    before.delete(of);
    if (element === undefined) {
      element = create(item);
      element.dataset['key'] = of;
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
    update?.(element, item);
  }
  for (const element of before.values()) element.remove();
}

/** A part of a view, under its title. */
export function block(title: string, ...content: Node[]): HTMLElement {
  return h('section', { class: 'block' }, h('h3', {}, title), ...content);
}

/** A table whose rows are in `body`; it scrolls by itself where the window is narrow. */
export function table(columns: readonly string[], body: HTMLElement): HTMLElement {
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...columns.map((name) => h('th', { scope: 'col' }, name)))),
      body,
    ),
  );
}

/** A row of a list to pick from: what it is, its state, who, and when. */
export function row(): HTMLButtonElement {
  return h(
    'button',
    { type: 'button', class: 'row actor' },
    h('span', { class: 'what' }),
    h('span', { class: 'chip' }),
    h('span', { class: 'who' }),
    h('span', { class: 'when' }),
  );
}

/** What a view says when there is nothing to show. */
export function emptyState(title: string, ...hint: Child[]): HTMLElement {
  return h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), h('p', {}, ...hint));
}

/**
 * Up and down move between the buttons of a list, Home and End go to its ends; Tab leaves it. The button that has the
 * focus is picked.
 */
export function roving(list: HTMLElement, pick: (key: string) => void): void {
  list.addEventListener('keydown', (event) => {
    const rows = [...list.querySelectorAll<HTMLElement>('[data-key]')];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    const row = to === undefined ? undefined : rows[to];
    if (row === undefined) return;
    event.preventDefault();
    const target = row.matches('button') ? row : row.querySelector<HTMLElement>('button');
    target?.focus();
    if (row.dataset['key'] !== undefined) pick(row.dataset['key']);
  });
}
