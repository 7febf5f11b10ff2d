/** What an inspection of a share of the sessions does with the others: it is offered each of them once, and that is all. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { encode } from 'cborg';
import type { AnyActor } from 'xstate';
import type { InspectionItem } from '../../../src/actors/inspection-items.js';
import { DiagnosticsViewer } from '../../../src/actors/watch/diagnostics-viewer.js';
import { HostWatch } from '../../../src/actors/watch/host-watch.js';
import { PassedPacket } from '../../../src/actors/watch/passed-packet.js';
import type { FromWatch, ToWatch, WatchSpec } from '../../../src/actors/watch/protocol.js';
import { SessionWatch } from '../../../src/actors/watch/session-watch.js';
import { ShownActor } from '../../../src/actors/watch/shown-actor.js';
import { DataPort, inlinePair, type WatchedSession } from '../../../src/runtime/index.js';
import { Rig, type Engine } from '../session-rig.js';

let rig: Rig;
let briggs: Engine;
let gray: Engine;
let watch: HostWatch;
let listening: Awaited<ReturnType<Engine['client']['listen']>>;
/** Sessions of briggs, in the order of their making, and how often their actors have been inspected. */
let made: { readonly session: WatchedSession; readonly inspected: () => number }[];

beforeEach(async () => {
  rig = new Rig();
  briggs = await rig.engine('briggs');
  gray = await rig.engine('gray');
  listening = await briggs.client.listen({ demand: 1_000 });
  const { host, counters } = briggs;
  watch = new HostWatch({
    thread: 'sessions-1',
    clock: rig.clock,
    counters,
    actors: () => host.actors,
    sessions: () => host.sessions,
  });
  made = [];
  const sessionMade = watch.sessionMade.bind(watch);
  jest.spyOn(watch, 'sessionMade').mockImplementation((session) => {
    const inspect = jest.spyOn((session.actor as AnyActor).system, 'inspect');
    made.push({ session, inspected: () => inspect.mock.calls.length });
    sessionMade(session);
  });
});

afterEach(async () => {
  watch.close();
  jest.restoreAllMocks();
  await rig.close();
});

function attach(number: number, spec: WatchSpec): InspectionItem[] {
  const [here, there] = inlinePair(rig.clock);
  const items: InspectionItem[] = [];
  const port: DataPort<ToWatch, FromWatch> = new DataPort(here, rig.clock, {
    onEvents: (reports) => items.push(...reports.flatMap((report) => report.items as InspectionItem[])),
  });
  port.send({ more: 10_000 });
  watch.attach(number, spec, 'sessions-1', there);
  return items;
}

const inspection = (share: number): WatchSpec => ({
  kind: 'inspection',
  share,
  maxPerSecond: Infinity,
  hold: 1_000,
});

/** One negotiation, up to the offer of briggs, and then to its end. */
async function begin(): Promise<() => Promise<void>> {
  const { session, answer } = gray.client.request(listening.target);
  const incoming = await briggs.client.nextIncoming();
  void briggs.client.step(incoming.session, 80);
  await rig.run(answer);
  return async () => {
    await rig.run(gray.client.end(session, true));
    await rig.clock.settle();
  };
}

test('a session that is not chosen tells nobody anything, and is not inspected', async () => {
  const calls = (['begun', 'sent', 'received', 'told', 'ended'] as const).map((name) =>
    jest.spyOn(SessionWatch.prototype, name),
  );
  const begun = jest.spyOn(ShownActor.prototype, 'begin');
  const other = [jest.spyOn(watch, 'actorMade'), jest.spyOn(watch, 'passed')];
  const items = attach(1, inspection(0.25));
  begun.mockClear();
  const watchers: (object | undefined)[] = [];
  for (let i = 0; i < 8; i++) {
    const end = await begin();
    watchers.push(made[i]!.session.watcher);
    await end();
  }
  const chosen = watchers.map((watcher) => watcher !== undefined);
  expect(chosen).toEqual([true, false, false, false, true, false, false, false]);
  expect(made).toHaveLength(8);
  expect(made.map(({ inspected }) => inspected())).toEqual(chosen.map(Number));
  expect(begun).toHaveBeenCalledTimes(2);
  const [first, , , , fifth] = watchers;
  for (const call of calls) expect(new Set(call.mock.contexts)).toEqual(new Set([first, fifth]));
  for (const call of other) expect(call).not.toHaveBeenCalled();
  await rig.clock.advance(200);
  const ended = items.filter((item) => item.type === 'grasp.session' && item.phase === 'ended');
  expect(ended).toHaveLength(2);
});

test('of events that pass through a listener of requests those that are not chosen are not inspected', async () => {
  const [listener] = briggs.host.actors;
  const inspect = jest.spyOn(listener!.system, 'inspect');
  const comes = jest.spyOn(watch, 'eventComes');
  const none = attach(1, inspection(0));
  for (let i = 0; i < 4; i++) await (await begin())();
  await rig.clock.advance(200);
  expect(comes.mock.calls.length).toBeGreaterThanOrEqual(4);
  expect(inspect).not.toHaveBeenCalled();
  // It is there all the same.
  const types = (items: readonly InspectionItem[]): string[] =>
    items.flatMap((item) => ('machine' in item && item.machine === 'requestListener' ? [item.type] : []));
  expect(types(none)).toEqual(['@xstate.actor']);

  watch.detach(1);
  const half = attach(2, inspection(0.5));
  comes.mockClear();
  for (let i = 0; i < 4; i++) await (await begin())();
  await rig.clock.advance(200);
  const shown = comes.mock.calls.length / 2;
  expect(inspect).toHaveBeenCalledTimes(shown);
  expect(types(half)).toEqual([
    '@xstate.actor',
    ...Array.from({ length: shown }, () => ['@xstate.event', '@xstate.snapshot']).flat(),
  ]);
});

test('what passes without a session is not decoded if it is not chosen', async () => {
  const decoded = jest.spyOn(PassedPacket.prototype, 'message', 'get');
  const items = attach(1, inspection(0.5));
  const bytes = encode([9, 7, new Uint8Array(16), 1_000, [['EX1', 5, 6, 1], []]]);
  for (let i = 0; i < 6; i++) watch.passed({ direction: 'received', via: 'multicast', bytes });
  await rig.clock.settle();
  expect(decoded).toHaveBeenCalledTimes(3);
  expect(items.filter(({ type }) => type === 'grasp.message')).toHaveLength(3);
});

test('the end of such a listener is shown, whether the event that brought it was chosen or not', async () => {
  const items = attach(1, inspection(0));
  await rig.run(briggs.host.stopListen(listening.listen));
  await rig.clock.advance(200);
  const last = items.filter((item) => item.type === '@xstate.snapshot');
  expect(last).toMatchObject([
    { machine: 'requestListener', event: { type: 'closed' }, snapshot: { status: 'done' } },
  ]);
});

test('who watches sessions that are there already is offered them; with the last viewer they have nobody again', async () => {
  const ends = [await begin(), await begin()];
  const sessions = (): (object | undefined)[] => [...briggs.host.sessions].map(({ watcher }) => watcher);
  expect(sessions()).toEqual([undefined, undefined]);
  const first = attach(1, inspection(0.5));
  const second = attach(2, inspection(1));
  expect(sessions()).toEqual([expect.any(SessionWatch), expect.any(SessionWatch)]);
  watch.detach(2);
  expect(sessions()).toEqual([expect.any(SessionWatch), undefined]);
  for (const end of ends) await end();
  await rig.clock.advance(200);
  expect(sessions()).toEqual([]);
  const outcomes = (items: readonly InspectionItem[]) =>
    items.flatMap((item) => (item.type === 'grasp.session' ? [item.outcome] : []));
  expect(outcomes(first)).toEqual(['accepted']);
  expect(outcomes(second)).toEqual([]);
});

test('a session that turns out to be about something else has nobody to tell from then on', async () => {
  attach(1, { ...inspection(1), session: 0xffff_ffff } as WatchSpec);
  const { answer } = gray.client.request(listening.target);
  await rig.clock.settle();
  // The connection could have been the one: its id came with its request.
  expect(made[0]!.inspected()).toBe(1);
  expect(made[0]!.session.watcher).toBeUndefined();
  void briggs.client.end((await briggs.client.nextIncoming()).session, true);
  expect(await rig.run(answer)).toMatchObject({ state: 'accepted' });
});

test('events of sessions are told of every one; those of other things offer none', async () => {
  const offered = jest.spyOn(DiagnosticsViewer.prototype, 'sessionMade');
  attach(1, { kind: 'diagnostics', events: ['count', 'multicast'], hold: 100 });
  await (
    await begin()
  )();
  expect(offered).toHaveBeenCalledTimes(1);
  expect(offered).toHaveReturnedWith(undefined);
  const events = attach(2, { kind: 'diagnostics', events: ['session.ended'], hold: 100 });
  await (
    await begin()
  )();
  await rig.clock.advance(200);
  expect(events).toMatchObject([{ name: 'session.ended', outcome: 'accepted' }]);
});
