/** Everything the page knows, made of what it was told. */
import type { FeedItem, NodeHistory, StatusSample, ToPage } from '../feed.js';
import { Actors, type ActorView, type Step } from './actors.js';
import { Conversations } from './conversations.js';
import { EngineHistory } from './engine.js';
import { Network } from './network.js';

/** What a view may want to show as it happens. */
export interface ModelListener {
  /** Everything has begun anew. */
  reset(): void;
  stepped(actor: ActorView, step: Step): void;
}

export class Model {
  actors = new Actors();
  conversations = new Conversations();
  network = new Network();
  engines = new Map<string, EngineHistory>();
  /** Nodes whose engine is closed. */
  ended = new Set<string>();
  forgotten = 0;
  codes: Readonly<Record<number, string>> = {};
  /** How far the server's clock is ahead of the page's, ms. */
  clockOffset = 0;
  /** Changes with everything that is told. */
  version = 0;

  constructor(readonly listener: ModelListener) {}

  get nodes(): string[] {
    return [...this.engines.keys()];
  }

  /** Smallest share of sessions that any node shows. */
  get share(): number {
    return Math.min(1, ...[...this.engines.values()].map(({ latest }) => latest?.share ?? 1));
  }

  /** @param now the page's clock */
  take(message: ToPage, now: number): void {
    this.version++;
    switch (message.type) {
      case 'hello':
        this.#begin(message.nodes);
        this.codes = message.codes;
        this.clockOffset = message.now - now;
        return;
      case 'items':
        for (const item of message.items) this.#item(message.node, item, true);
        return;
      case 'sample':
        this.#sample(message.node, message.sample);
        return;
      case 'ended':
        this.ended.add(message.node);
    }
  }

  #begin(nodes: readonly NodeHistory[]): void {
    this.actors = new Actors();
    this.conversations = new Conversations();
    this.network = new Network();
    this.engines = new Map(nodes.map(({ name }) => [name, new EngineHistory()]));
    this.ended = new Set(nodes.filter(({ ended }) => ended).map(({ name }) => name));
    this.forgotten = nodes.reduce((sum, { forgotten }) => sum + forgotten, 0);
    for (const { name, samples } of nodes) for (const sample of samples) this.#sample(name, sample);
    const all = nodes.flatMap(({ name, items }) => items.map((item) => ({ name, item })));
    all.sort((a, b) => a.item.at - b.item.at || a.item.seq - b.item.seq);
    for (const { name, item } of all) this.#item(name, item, false);
    this.listener.reset();
  }

  #sample(node: string, sample: StatusSample): void {
    this.engines.get(node)?.add(sample);
    this.network.status(node, sample.status);
  }

  #item(node: string, item: FeedItem, live: boolean): void {
    switch (item.type) {
      case '@xstate.actor':
        this.actors.appeared(node, item);
        return;
      case '@xstate.snapshot': {
        const stepped = this.actors.stepped(node, item);
        if (stepped !== undefined && live) this.listener.stepped(stepped.actor, stepped.step);
        return;
      }
      case 'grasp.message':
        this.conversations.said(node, item);
        this.network.heard(node, item);
        return;
      case 'grasp.session':
        this.actors.session(node, item);
        this.conversations.session(node, item);
    }
  }
}
