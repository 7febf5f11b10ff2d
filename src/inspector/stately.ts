/**
 * The feed in the words of the Stately inspection protocol (`@statelyai/inspect`, version 0.7): what its receivers and
 * the Stately Inspector understand. The package's own server listens on every address and takes any origin, so it is
 * not used; what it sends is this.
 */
import type { FeedItem, SafeValue } from './feed.js';

/** Of the package whose protocol this is. */
const PROTOCOL_VERSION = '0.7.2';

interface Common {
  readonly _version: string;
  readonly createdAt: string;
  readonly id: string | null;
  readonly rootId: string;
  readonly sessionId: string;
}

interface StatelySnapshot {
  readonly status: string;
  readonly value: SafeValue;
  readonly context: SafeValue;
  readonly children: Readonly<Record<string, never>>;
  readonly historyValue: Readonly<Record<string, never>>;
  readonly tags: readonly never[];
}

export type StatelyMessage =
  | (Common & {
      readonly type: '@xstate.actor';
      readonly name: string;
      readonly parentId: undefined;
      /** JSON text of the machine's configuration. */
      readonly definition: string;
      readonly snapshot: StatelySnapshot;
    })
  | (Common & {
      readonly type: '@xstate.event';
      readonly event: { readonly type: string };
      readonly sourceId: undefined;
    })
  | (Common & {
      readonly type: '@xstate.snapshot';
      readonly event: { readonly type: string };
      readonly snapshot: StatelySnapshot;
    });

/** What an item is in the Stately protocol: nothing (messages, outcomes), an actor, or an event and its snapshot. */
export function statelyMessages(
  node: string,
  item: FeedItem,
  definitions: Readonly<Record<string, unknown>>,
): StatelyMessage[] {
  if (item.type !== '@xstate.actor' && item.type !== '@xstate.snapshot') return [];
  const sessionId = `${node}/${item.sessionId}`;
  const common = {
    _version: PROTOCOL_VERSION,
    createdAt: String(Math.round(item.at)),
    id: null,
    rootId: `${node}/${item.rootId}`,
    sessionId,
  };
  const { status, value, context } = item.snapshot;
  const snapshot = { status, value, context, children: {}, historyValue: {}, tags: [] };
  if (item.type === '@xstate.actor') {
    const { machine, about } = item;
    const name = [machine, about.objective, about.role, about.interface, about.worker]
      .filter(Boolean)
      .join(' ');
    const definition = JSON.stringify(definitions[machine] ?? { id: machine });
    return [{ ...common, type: '@xstate.actor', name, parentId: undefined, definition, snapshot }];
  }
  const { event } = item;
  return [
    { ...common, type: '@xstate.event', id: `${sessionId}:${item.seq}`, event, sourceId: undefined },
    { ...common, type: '@xstate.snapshot', event, snapshot },
  ];
}
