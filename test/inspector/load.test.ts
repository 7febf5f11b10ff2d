/** The page while an engine has more sessions than anybody can look at. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Grasp, SimulatedNetwork, type Asa, type Objective } from '../../src/index.js';
import { serveInspector, type InspectorServer } from '../../src/inspector/index.js';
import { browserDescribe, screenshot } from './browser.js';

jest.setTimeout(120_000);

let network: SimulatedNetwork;
let bank: Grasp;
let client: Grasp;
let inspector: InspectorServer;
let asa: Asa;
let ex3: Objective;

beforeEach(async () => {
  network = new SimulatedNetwork({ seed: 3 });
  const start = (name: string): Promise<Grasp> =>
    Grasp.start({
      substrate: { kind: 'simulated', node: network.addNode(name, { links: ['l'] }) },
      sessionWorkers: 1,
    });
  [bank, client] = await Promise.all([start('bank'), start('client')]);
  const briggs = await bank.registerAsa('Briggs');
  const offered = await briggs.registerObjective({ name: 'EX3', negotiate: true });
  await offered.onNegotiate((session) => session.endNegotiate({ accept: true }), { concurrency: 100 });
  asa = await client.registerAsa('Gray');
  ex3 = await asa.registerObjective({ name: 'EX3', negotiate: true });
  // A tenth of the default, so that a slow machine has more than is shown, too.
  inspector = await serveInspector({ bank, client }, { port: 0, limits: { itemsPerSecond: 50 } });
});

afterEach(async () => {
  await inspector.close();
  await Promise.all([bank.close(), client.close()]);
  network.close();
});

browserDescribe('the page under load', ({ open, complaints }) => {
  test('says which share it shows, counts all, and does what it is told', async () => {
    const [peer] = await asa.discover('EX3', { timeoutMs: 2_000 });
    if (peer === undefined) throw new Error('nobody answered');
    const page = await open(inspector.url);
    await page.waitForSelector('#connection[data-state="live"]');
    let going = true;
    let sessions = 0;
    const ask = async (): Promise<void> => {
      while (going) {
        const result = await asa.requestNegotiate(ex3, 42, { peer, timeoutMs: 60_000 });
        expect(result.state).toBe('accepted');
        sessions++;
      }
    };
    const load = Promise.all(Array.from({ length: 32 }, ask));
    try {
      await page.waitForSelector('#share:not([hidden]) >> text=/^\\d+(\\.\\d+)? % of the sessions shown$/');
      // While it goes on: views, lists and filters answer.
      for (const [key, there] of [
        ['2', '.conversation footer.good'],
        ['3', '.box.own'],
        ['4', '.plot strong'],
        ['1', '.log .event'],
      ] as const) {
        await page.keyboard.press(key);
        await page.waitForSelector(there);
      }
      await page.keyboard.press('/');
      await page.keyboard.type('accepted');
      await page.locator('.actor').first().click();
      await page.waitForSelector('[data-state="ended"].lit');
      await screenshot(page, 'load');
    } finally {
      going = false;
      await load;
    }
    // Far more happened than anybody is shown; the list and the page stay small.
    const shown = await page.locator('.actor').count();
    expect(sessions).toBeGreaterThan(200);
    expect(shown).toBeLessThanOrEqual(60);
    expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(3_000);
    expect(complaints).toEqual([]);
  });
});
