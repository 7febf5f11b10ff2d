/** View: the nodes that were heard of, the links they are on, floods on their way, and what is remembered for how long. */
import type { Flood, Remembered } from '../model/network.js';
import { duration } from '../model/text.js';
import { block, emptyState, h, keyed, setText, table } from './dom.js';
import { NetworkMap } from './network-map.js';
import type { Page, View } from './view.js';

const FLOODS_SHOWN = 20;
const PEERS_SHOWN = 100;
const REMEMBERED_SHOWN = 100;
/** What has expired is still shown for a moment. */
const EXPIRED_SHOWN_MS = 3_000;

export class NetworkView implements View {
  readonly element: HTMLElement;
  readonly #map: NetworkMap;
  readonly #floods = h('ol', { class: 'floods' });
  readonly #noFloods = emptyState(
    'No floods yet',
    'Try ',
    h('code', {}, 'grasp flood EX1 \'["NZD",7]\''),
    ' on a neighbour.',
  );
  readonly #remembered = h('tbody', {});
  readonly #nothingRemembered = emptyState(
    'Nothing remembered',
    'Floods and answers to discoveries appear here with their lifetimes.',
  );
  readonly #peers = h('tbody', {});
  readonly #noPeers = emptyState(
    'Nobody heard of yet',
    'Other nodes appear when they discover, answer, flood or negotiate.',
  );

  constructor(readonly page: Page) {
    this.#map = new NetworkMap(page);
    this.element = h(
      'div',
      { class: 'network' },
      this.#map.element,
      h(
        'div',
        { class: 'tables' },
        block('Floods', this.#noFloods, this.#floods),
        block(
          'Remembered, with the time left',
          this.#nothingRemembered,
          table(['what', 'value or locator', 'time left'], this.#remembered),
        ),
        block(
          'Nodes',
          this.#noPeers,
          table(['address', 'heard as', 'objectives', 'links', 'last heard'], this.#peers),
        ),
      ),
    );
  }

  reset(): void {
    this.#map.reset();
  }

  render(): void {
    const { network } = this.page.model;
    const now = this.page.now();
    this.#map.render();
    this.#renderFloods([...network.floods.values()].reverse().slice(0, FLOODS_SHOWN), now);
    this.#renderRemembered(now);
    this.#renderPeers(now);
  }

  #renderFloods(floods: readonly Flood[], now: number): void {
    this.#noFloods.hidden = floods.length > 0;
    keyed(this.#floods, floods, {
      key: ({ key }) => key,
      create: (flood) =>
        h(
          'li',
          { class: 'flood' },
          h(
            'p',
            {},
            ...flood.objectives.flatMap(({ name, value }) => [
              h('strong', {}, name),
              value !== undefined && h('code', {}, value),
            ]),
          ),
          h('p', { class: 'hops' }),
          h('p', { class: 'quiet' }),
        ),
      update: (item, flood) => {
        const [, hops, note] = item.children;
        if (!hops || !note) return;
        keyed(hops, flood.hops, {
          // With the first one's time, of which each row tells its distance.
          key: (hop) => `${hop.node} ${hop.interface ?? ''} ${hop.direction} ${hop.at} ${flood.at}`,
          create: (hop) =>
            h(
              'span',
              { class: `hop ${hop.direction}` },
              `${hop.node} ${hop.direction === 'received' ? 'heard it' : 'sent it'}${hop.interface === undefined ? '' : ` on ${hop.interface}`} · loop ${hop.loopCount} · +${duration(hop.at - flood.at)}`,
            ),
        });
        const valid = flood.ttl === 0 ? 'valid for ever' : `valid ${duration(flood.ttl)}`;
        setText(note, `from ${this.#nameOf(flood.initiator)} · ${valid} · ${ago(now - flood.at)}`);
      },
    });
  }

  #renderRemembered(now: number): void {
    const node = this.page.node();
    const entries = [...this.page.model.network.remembered.values()]
      .filter((entry) => node === undefined || entry.node === node)
      .filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now - EXPIRED_SHOWN_MS)
      .reverse()
      .slice(0, REMEMBERED_SHOWN);
    this.#nothingRemembered.hidden = entries.length > 0;
    keyed(this.#remembered, entries, {
      key: ({ key }) => key,
      create: (entry) =>
        h(
          'tr',
          {},
          h(
            'th',
            { scope: 'row' },
            entry.objective,
            h('span', { class: 'tag' }, entry.kind === 'flood' ? 'flooded' : 'discovered'),
            this.page.model.nodes.length > 1 && h('span', { class: 'quiet' }, ` at ${entry.node}`),
          ),
          h('td', {}),
          h('td', { class: 'life' }, h('progress', { max: 1, value: 0 }), h('span', { class: 'number' })),
        ),
      update: (row, entry) => this.#renderEntry(row, entry, now),
    });
  }

  #renderEntry(row: Element, { value, locator, at, expiresAt }: Remembered, now: number): void {
    const what = row.children[1];
    const bar = row.querySelector('progress');
    const number = row.querySelector('.number');
    if (!what || !bar || !number) return;
    setText(what, [value, locator].filter(Boolean).join(' · '));
    if (expiresAt === undefined) {
      bar.hidden = true;
      setText(number, 'for ever');
      return;
    }
    // The engine's clock is known to some ms only: nothing has more time left than it was given.
    const left = Math.min(expiresAt - now, expiresAt - at);
    bar.hidden = false;
    bar.value = Math.max(0, Math.min(1, left / Math.max(1, expiresAt - at)));
    bar.setAttribute('aria-label', 'share of its lifetime that is left');
    setText(number, left > 0 ? duration(Math.ceil(left / 1000) * 1000) : 'expired');
    row.classList.toggle('expired', left <= 0);
  }

  #renderPeers(now: number): void {
    const { network } = this.page.model;
    const node = this.page.node();
    const peers = [...network.peers.values()]
      .filter(
        (peer) =>
          node === undefined ||
          [...peer.links].some((link) => link.startsWith(`${node} `)) ||
          peer.links.size === 0,
      )
      .reverse()
      .slice(0, PEERS_SHOWN);
    this.#noPeers.hidden = peers.length > 0;
    keyed(this.#peers, peers, {
      key: ({ name }) => name,
      create: ({ name }) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, h('code', {}, name), h('span', { class: 'quiet also' })),
          h('td', {}),
          h('td', {}),
          h('td', {}),
          h('td', { class: 'number' }),
        ),
      update: (row, peer) => {
        const [title, roles, objectives, links, heard] = row.children;
        const also = title?.lastElementChild;
        if (!also || !roles || !objectives || !links || !heard) return;
        setText(also, [...peer.addresses].filter((address) => address !== peer.name).join(', '));
        keyed(roles, [...peer.roles].sort(), {
          key: (role) => role,
          create: (role) => h('span', { class: 'tag' }, role),
        });
        setText(objectives, [...peer.objectives].join(', '));
        const names = new Set([...peer.links].map((link) => link.slice(link.indexOf(' ') + 1)));
        setText(links, [...names].join(', '));
        setText(heard, ago(now - peer.heardAt));
      },
    });
  }

  #nameOf(address: string): string {
    const node = this.page.model.network.nodeAt(address);
    return node === undefined ? address : `${node} (${address})`;
  }
}

function ago(ms: number): string {
  return ms < 1_000 ? 'now' : `${duration(Math.floor(ms / 1000) * 1000)} ago`;
}
