/** `grasp demo --inspect` as a process, watched in Chromium: real engines, real threads. */
import { afterEach, expect, jest, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { browserDescribe, screenshot } from './browser.js';

jest.setTimeout(120_000);

const MAIN = fileURLToPath(new URL('../../package/cli/main.js', import.meta.url));
const running: ChildProcess[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((child) => end(child)));
});

function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  const over = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  return over;
}

/** Starts it; resolves where its page is. */
async function demo(): Promise<{ url: string; child: ChildProcess; lines: string[] }> {
  const child = spawn(process.execPath, [MAIN, 'demo', '--inspect', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  const lines: string[] = [];
  const url = await new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      const told = JSON.parse(line) as { event: string; url?: string };
      if (told.event === 'inspector' && told.url !== undefined) resolve(told.url);
    });
  });
  return { url, child, lines };
}

const lit = (page: Page, state: string): Promise<unknown> =>
  page.waitForSelector(`[data-state="${state}"].lit`);

browserDescribe('grasp demo --inspect', ({ open, complaints }) => {
  test('a negotiation’s chart moves through its states to the outcome; the conversation and the network show it', async () => {
    const { url, child } = await demo();
    const machines = await open(`${url}#machines`);
    // The client's side of it: the same states, in the order of RFC 8990 §2.5.5.
    await machines.waitForSelector('#node-choice:not([hidden])');
    await machines.selectOption('#node', 'client');
    await lit(machines, 'awaitingReply');
    await lit(machines, 'ourTurn');
    await lit(machines, 'awaitingReply');
    await screenshot(machines, 'demo-machines');
    await machines.waitForSelector('.actor .chip >> text=/^accepted$/');
    const network = await open(`${url}#network`);
    // The bank passes on to the street what the office floods on the square.
    await network.waitForSelector('.hop >> text=bank sent it on street · loop 2');
    await network.waitForSelector('.hop >> text=client heard it on street · loop 2');
    await network.waitForSelector('.flood-dot', { state: 'attached' });
    await screenshot(network, 'demo-network');
    const conversation = await open(`${url}#conversation`);
    await conversation.locator('.actor', { hasText: 'accepted' }).first().click();
    // Until the click has been drawn, the next negotiation may stand beside it.
    await conversation.waitForSelector('.actor[aria-pressed="true"]');
    await conversation.waitForSelector('footer.good');
    const said = await conversation
      .locator('.bubble')
      .evaluateAll((all) => all.map((each) => each.getAttribute('data-message')));
    expect(said[0]).toBe('M_REQ_NEG');
    expect(said.at(-1)).toBe('M_END');
    expect(said.filter((name) => name === 'M_NEGOTIATE').length).toBeGreaterThan(1);
    // Nobody told the page what they are called but their engines.
    expect(await conversation.locator('.party strong').allTextContents()).toEqual(['Gray', 'Briggs']);
    await screenshot(conversation, 'demo-conversation');
    expect(complaints).toEqual([]);
    expect(await end(child)).toBe(0);
  });
});
