/// <reference lib="dom" />
/** The page in Chromium, shown what a test says. */
import { afterEach, expect, jest, test } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { serveInspector, type InspectorServer } from '../../src/inspector/index.js';
import type { FeedItem } from '../../src/inspector/feed.js';
import { browserDescribe, screenshot } from './browser.js';
import { actor, emptyStatus, FakeEngine, message, objective, session, step } from './fake-engine.js';

jest.setTimeout(60_000);

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function serve(engine: FakeEngine, port = 0): Promise<InspectorServer> {
  const server = await serveInspector({ bank: engine }, { port });
  closers.push(() => server.close());
  return server;
}

const PEER = '[2001:db8::7]:4711';
/** Of a session, as it goes: what is shown at each of its moments. */
function moments(name: string, began = Date.now(), id = 'sessions-1/x:1', number = 0xabc): FeedItem[][] {
  const about = { objective: name, peer: PEER, session: number, role: 'initiator' as const };
  const told = (ms: number): { at: number; about: typeof about } => ({ at: began + ms, about });
  const say = (
    of: Parameters<typeof message>[0],
    by: 'sent' | 'received',
    ms: number,
    more: object,
  ): FeedItem =>
    message(of, by, {
      at: began + ms,
      session: number,
      actor: id,
      role: 'initiator',
      peer: PEER,
      interface: 'eth0',
      ...more,
    });
  return [
    [
      actor(id, 'idle', told(0)),
      session(id, 'begun', told(0)),
      step(id, 'request', 'connecting', told(1)),
      step(id, 'connected', 'awaitingReply', told(3)),
      say('M_REQ_NEG', 'sent', 3, { objectives: [objective(name, '["NZD", 300]')] }),
    ],
    [
      say('M_WAIT', 'received', 400, { waitMs: 10_000 }),
      step(id, 'message.wait', 'awaitingReply', told(400)),
    ],
    [
      say('M_NEGOTIATE', 'received', 900, { objectives: [objective(name, '["NZD", 150]', 5)] }),
      step(id, 'message.negotiate', 'ourTurn', told(900)),
    ],
    [
      say('M_END', 'sent', 1_300, { accept: true }),
      step(id, 'end', 'ended', { ...told(1_300), status: 'done' }),
      session(id, 'ended', { ...told(1_300), outcome: 'accepted' }),
    ],
  ];
}

function withStatus(): FakeEngine {
  const engine = new FakeEngine();
  engine.status_ = emptyStatus({
    interfaces: [{ name: 'eth0', index: 2, linkLocal: 'fe80::1', addresses: ['2001:db8::1'], port: 7017 }],
    asas: [{ name: 'Gray', handle: 1, thread: 'main' }],
    objectives: [
      {
        name: 'EX3',
        asas: ['Gray'],
        negotiate: true,
        synchronize: false,
        dryRun: false,
        overlap: false,
        listening: [],
      },
    ],
    threads: [
      {
        name: 'sessions-1',
        threadId: 2,
        state: 'running',
        restarts: 0,
        queues: [{ name: 'flood', length: 40, limit: 4_096 }],
        counters: {},
        actors: [{ machine: 'negotiationSession', state: 'awaitingReply', count: 1_234 }],
      },
    ],
    counters: { 'multicast.received': 500, 'response.shed': 7 },
  });
  return engine;
}

const lit = (page: Page, state: string): Promise<unknown> =>
  page.waitForSelector(`[data-state="${state}"].lit`);
const bubbles = (page: Page): Promise<(string | null)[]> =>
  page.locator('.bubble').evaluateAll((all) => all.map((each) => each.getAttribute('data-message')));

browserDescribe('the page', ({ open, complaints }) => {
  test('the chart moves through the states of a session to its outcome, the conversation shows each step', async () => {
    const engine = withStatus();
    const { url } = await serve(engine);
    const [machines, conversation] = [await open(`${url}#machines`), await open(`${url}#conversation`)];
    await machines.waitForSelector('#connection[data-state="live"]');
    await conversation.waitForSelector('#connection[data-state="live"]');
    expect(await conversation.locator('.empty-title').textContent()).toBe('Nobody has said anything yet');
    const [begin, wait, offer, end] = moments('EX3');
    engine.show(...(begin ?? []));
    await lit(machines, 'awaitingReply');
    await machines.waitForSelector('[data-edge="connecting>awaitingReply"].visited');
    await conversation.waitForSelector('[data-message="M_REQ_NEG"]');
    engine.show(...(wait ?? []));
    await conversation.waitForSelector('[data-message="M_WAIT"] progress');
    engine.show(...(offer ?? []));
    await lit(machines, 'ourTurn');
    await conversation.waitForSelector('.bubble.responder >> text=["NZD", 150]');
    expect(await conversation.locator('.conversation footer').textContent()).toBe('Gray is thinking');
    engine.show(...(end ?? []));
    await lit(machines, 'ended');
    await machines.waitForSelector('.actor .chip[data-tone="good"] >> text=accepted');
    await conversation.waitForSelector('footer.good >> text=Agreed on ["NZD", 150]');
    expect(await bubbles(conversation)).toEqual(['M_REQ_NEG', 'M_WAIT', 'M_NEGOTIATE', 'M_END']);
    expect(await conversation.locator('.party strong').allTextContents()).toEqual(['Gray', PEER]);
    expect(await conversation.locator('.bubble.wait .meta').textContent()).toContain('took 500 ms');
    expect(await machines.locator('[data-state="awaitingReply"] .badge text').textContent()).toBe('1.2k');
    expect(complaints).toEqual([]);
  });

  test('a page that is loaded late in a session shows its whole history', async () => {
    const engine = withStatus();
    const { url } = await serve(engine);
    const early = await open(url);
    for (const items of moments('EX3').slice(0, 3)) engine.show(...items);
    await lit(early, 'ourTurn');
    const late = await open(url);
    await lit(late, 'ourTurn');
    const log = (page: Page): Promise<string[]> => page.locator('.log .what').allTextContents();
    expect(await log(late)).toEqual(['request', 'connected', 'message.wait', 'message.negotiate']);
    expect(await log(late)).toEqual(await log(early));
    await late.keyboard.press('2');
    await late.waitForSelector('[data-message="M_NEGOTIATE"]');
    expect(await bubbles(late)).toEqual(['M_REQ_NEG', 'M_WAIT', 'M_NEGOTIATE']);
  });

  test('an event of the log shows the chart as it was then', async () => {
    const engine = withStatus();
    const { url } = await serve(engine);
    const page = await open(url);
    for (const items of moments('EX3')) engine.show(...items);
    await lit(page, 'ended');
    await page.locator('.log .event', { hasText: 'connected' }).first().click();
    await lit(page, 'awaitingReply');
    expect(
      await page
        .locator('.state.visited')
        .evaluateAll((all) => all.map((s) => s.getAttribute('data-state')).sort()),
    ).toEqual(['awaitingReply', 'connecting', 'idle']);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await lit(page, 'ourTurn');
  });

  test('a flood appears in the network view, travels, and is remembered while it is valid', async () => {
    const engine = withStatus();
    const { url } = await serve(engine);
    const page = await open(`${url}#network`);
    await page.waitForSelector('.box.own .name >> text=bank');
    const flood = {
      via: 'multicast',
      session: 5,
      initiator: '2001:db8::9',
      peer: '[fe80::9%eth0]:7017',
      interface: 'eth0',
      ttl: 60_000,
    } as const;
    const at = Date.now();
    engine.show(
      message('M_FLOOD', 'received', { ...flood, at, objectives: [objective('Rates', '["USD", 0.6]', 3)] }),
    );
    await page.waitForSelector('.flood-dot[data-flood="Rates"]', { state: 'attached' });
    await page.waitForSelector('.flood >> text=bank heard it on eth0');
    await page.waitForSelector('.box.peer[data-name="2001:db8::9"]');
    await page.waitForSelector('.box.peer[data-name="fe80::9"] .role >> text=neighbour');
    const left = page.locator('tr', { hasText: 'Rates' }).locator('.life .number');
    expect(await left.first().textContent()).toMatch(/^(1 min|\d\d s)$/);
    await screenshot(page, 'network');
    expect(complaints).toEqual([]);
  });

  test('names, values and reasons from the network are text in every view', async () => {
    const engine = withStatus();
    const hostile = '<img src=x onerror="window.hit=1"><script>window.hit=2</script>';
    engine.status_ = emptyStatus({
      ...engine.status_,
      asas: [{ name: hostile, handle: 1, thread: hostile }],
      counters: { [hostile]: 3 },
    });
    const { url } = await serve(engine);
    const page = await open(url);
    await page.waitForSelector('#connection[data-state="live"]');
    for (const items of moments(hostile)) engine.show(...items);
    const about = { objective: hostile, peer: hostile, session: 9, role: 'responder' as const };
    const told = { about, at: Date.now(), thread: hostile };
    engine.show(
      actor('x:9', hostile, told),
      {
        ...step('x:9', hostile, hostile, told),
        event: { type: hostile, [hostile]: hostile },
        snapshot: {
          status: 'active',
          value: hostile,
          context: { [hostile]: [hostile, { [hostile]: hostile }] },
        },
      },
      message('M_END', 'received', {
        session: 9,
        actor: 'x:9',
        role: 'responder',
        reason: hostile,
        accept: false,
        peer: hostile,
        at: told.at,
      }),
      message('M_INVALID', 'received', {
        session: 9,
        actor: 'x:9',
        role: 'responder',
        info: hostile,
        peer: hostile,
        at: told.at,
      }),
      session('x:9', 'ended', { ...told, outcome: 'declined', reason: hostile }),
      message('M_FLOOD', 'received', {
        via: 'multicast',
        session: 5,
        initiator: hostile,
        peer: hostile,
        interface: 'eth0',
        ttl: 60_000,
        at: told.at,
        objectives: [
          {
            ...objective(hostile, hostile),
            locator: { kind: 'uri', address: hostile, protocol: null, port: null },
          },
        ],
      }),
    );
    await page.waitForSelector(`.details h2 >> text=${JSON.stringify(hostile)}`);
    await page.locator('.log .event').last().click();
    const places: [string, string][] = [
      ['1', '.actor .what'],
      ['2', '.conversation h2'],
      ['3', '.flood strong'],
      ['4', 'tbody th'],
    ];
    for (const [key, place] of places) {
      await page.keyboard.press(key);
      await page.waitForSelector(`${place} >> text=${JSON.stringify(hostile)}`);
      const images = page.locator('main img, main script, main iframe');
      expect([key, await images.count(), await page.evaluate('window.hit')]).toEqual([key, 0, undefined]);
    }
    // Nothing was even tried: the policy had nothing to refuse.
    expect(complaints).toEqual([]);
  });

  test('its policy refuses markup and scripts, should any code try', async () => {
    const { url } = await serve(withStatus());
    const page = await open(url);
    await page.waitForSelector('#connection[data-state="live"]');
    const refused = await page.evaluate(() => {
      try {
        document.body.innerHTML = '<b>x</b>';
        return 'taken';
      } catch (error) {
        return (error as Error).name;
      }
    });
    expect(refused).toBe('TypeError');
    const outside = await page.evaluate(() =>
      fetch('http://127.0.0.2:1/').then(
        () => 'loaded',
        (error: unknown) => String(error),
      ),
    );
    expect(outside).toContain('Failed to fetch');
    expect(complaints.some((text) => text.includes("default-src 'self'"))).toBe(true);
  });

  test('a page of another origin gets nothing', async () => {
    const inspector = await serve(withStatus());
    const other = createServer((_request, response) => response.end('<title>other</title>'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => other.close(() => resolve())));
    const page = await open(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    const outcome = await page.evaluate(async (port) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/feed`);
      const feed = await new Promise((resolve) => {
        socket.onmessage = () => resolve('told');
        socket.onerror = () => resolve('refused');
      });
      const fetched = await fetch(`http://127.0.0.1:${port}/about.json`).then(
        () => 'told',
        () => 'refused',
      );
      return [feed, fetched];
    }, inspector.port);
    expect(outcome).toEqual(['refused', 'refused']);
  });

  test('it comes back by itself when the engine does', async () => {
    const engine = withStatus();
    const first = await serve(engine);
    const page = await open(first.url);
    await page.waitForSelector('#connection[data-state="live"]');
    await first.close();
    await page.waitForSelector('#connection[data-state="lost"], #connection[data-state="connecting"]');
    const second = withStatus();
    await serve(second, first.port);
    await page.waitForSelector('#connection[data-state="live"]');
    for (const items of moments('EX4')) second.show(...items);
    await page.waitForSelector('.details h2 >> text=EX4');
  });

  test('everything can be done by keyboard', async () => {
    const engine = withStatus();
    const { url } = await serve(engine);
    const page = await open(url);
    const now = Date.now();
    for (const items of moments('EX3', now, 'x:1', 1)) engine.show(...items);
    for (const items of moments('EX4', now + 1, 'x:2', 2).slice(0, 3)) engine.show(...items);
    await page.waitForSelector('.details h2 >> text=EX4');
    // Find, and walk the list that is found.
    await page.keyboard.press('/');
    await page.keyboard.type('accepted');
    await page.waitForSelector('.details h2 >> text=EX3');
    await page.keyboard.press('Escape');
    await page.locator('#session-filter').fill('');
    await page.waitForFunction(() => document.querySelectorAll('.actor').length === 2);
    for (let i = 0; i < 3; i++) await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector('.actor[aria-pressed="true"] >> text=EX3');
    await page.keyboard.press('ArrowUp');
    await page.waitForSelector('.actor[aria-pressed="true"] >> text=EX4');
    // Whatever has the focus shows it.
    expect(
      await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle),
    ).toBe('solid');
    for (const [key, view] of [
      ['2', 'Conversation'],
      ['3', 'Network'],
      ['4', 'Engine'],
      ['1', 'Machines'],
    ] as const) {
      await page.keyboard.press(key);
      await page.waitForSelector(`nav [aria-current="page"] >> text=${view}`);
    }
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog:not([open])', { state: 'attached' });
    await page.keyboard.press('p');
    await page.waitForSelector('#connection[data-state="paused"]');
    await page.keyboard.press('p');
    await page.waitForSelector('#connection[data-state="live"]');
  });

  test.each([
    ['light', 1360, 860],
    ['dark', 1360, 860],
    ['dark', 900, 700],
    ['light', 360, 740],
  ] as const)('%s, %d wide: readable, and nothing sticks out', async (colorScheme, width, height) => {
    const engine = withStatus();
    const { url } = await serve(engine);
    const page = await open(url, { colorScheme, viewport: { width, height } });
    await page.waitForSelector('#connection[data-state="live"]');
    for (const items of moments('EX3')) engine.show(...items);
    engine.show(
      message('M_FLOOD', 'received', {
        via: 'multicast',
        at: Date.now(),
        session: 5,
        initiator: '2001:db8::9',
        peer: '[fe80::9%eth0]:7017',
        interface: 'eth0',
        ttl: 60_000,
        objectives: [objective('Rates', '["USD", 0.6]', 3)],
      }),
    );
    await lit(page, 'ended');
    for (const [key, there] of [
      ['1', '.details .log .event'],
      ['2', 'footer.good'],
      ['3', '.flood'],
      ['4', '.plot strong'],
    ] as const) {
      await page.keyboard.press(key);
      await page.waitForSelector(there);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect([key, wide <= 0]).toEqual([key, true]);
      expect([key, await page.evaluate(poorContrast)]).toEqual([key, []]);
      await screenshot(page, `${colorScheme}-${width}-${key}`);
    }
    expect(complaints).toEqual([]);
  });
});

/** In the page: texts whose contrast with what is behind them is below 4.5:1 (WCAG 2.1 AA). SVG and disabled parts aside. */
function poorContrast(): string[] {
  const parse = (color: string): number[] =>
    (/rgba?\(([^)]*)\)/.exec(color)?.[1] ?? '0,0,0,0').split(/[ ,/]+/).map(Number);
  const luminance = ([r = 0, g = 0, b = 0]: number[]): number => {
    const linear = [r, g, b].map((c) =>
      c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0);
  };
  const behind = (element: Element | null): number[] => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if ((color[3] ?? 1) > 0) return color;
    }
    return [255, 255, 255];
  };
  const poor = new Set<string>();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
    const element = text.parentElement;
    if (
      element === null ||
      text.textContent?.trim() === '' ||
      element.closest('svg, script, noscript, .sr, .skip, tr.expired') !== null
    )
      continue;
    if (element.getClientRects().length === 0) continue;
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5)
      poor.add(
        `${element.className || element.tagName}: ${text.textContent?.trim() ?? ''} ${contrast.toFixed(2)}`,
      );
  }
  return [...poor];
}
