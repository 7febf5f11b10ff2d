/** Debian's Chromium, driven by playwright-core. */
import { afterAll, afterEach, beforeAll, describe, test } from '@jest/globals';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { root } from '../tooling/root.js';

const CHROMIUM = process.env['GRASP_CHROMIUM'] ?? '/usr/bin/chromium';

/** Nothing that calls home, and what it takes to run as root. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Browsing {
  /** A page in a window of its own, with no memory of others. */
  readonly open: (url: string, options?: BrowserContextOptions) => Promise<Page>;
  /** What pages have complained of since the test began: errors, and what their policy refused. */
  readonly complaints: string[];
}

/**
 * `describe` with a browser: without one its tests are skipped with a line, unless GRASP_REQUIRE_BROWSER=1, where they
 * fail.
 */
export function browserDescribe(name: string, body: (browsing: Browsing) => void): void {
  if (!existsSync(CHROMIUM)) {
    if (process.env['GRASP_REQUIRE_BROWSER'] === '1') {
      describe(name, () => {
        test('chromium is there', () => {
          throw new Error(`GRASP_REQUIRE_BROWSER=1, but there is no ${CHROMIUM}`);
        });
      });
      return;
    }
    process.stderr.write(`skipped: ${name}: ${CHROMIUM} is not installed\n`);
    describe.skip(name, () => body({ open: () => Promise.reject(new Error('no browser')), complaints: [] }));
    return;
  }
  describe(name, () => {
    let browser: Browser;
    const complaints: string[] = [];
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    }, 60_000);
    afterEach(async () => {
      complaints.length = 0;
      await Promise.all(browser.contexts().map((context) => context.close()));
    });
    afterAll(() => browser.close());
    body({
      complaints,
      open: async (url, options = {}) => {
        const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ...options });
        const page = await context.newPage();
        page.on('pageerror', (error) => complaints.push(error.message));
        page.on('console', (line) => {
          if (line.type() === 'error' || line.type() === 'warning') complaints.push(line.text());
        });
        await page.goto(url);
        return page;
      },
    });
  });
}

/** Kept as an artefact of a test run, in a folder that is not committed. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = join(root, 'screenshots');
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
