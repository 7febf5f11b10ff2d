/** The files of the page, read once: what is not among them is not served, whatever a path says. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
};

/** Folders whose files a browser gets, under their own names: compiled, not bundled, wherever this file's code is. */
const FOLDERS = ['page', 'model'];

/** By path of a URL, as `/page/main.js`. Throws when the package lacks them. */
export function loadAssets(): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const folder of FOLDERS) {
    const directory = new URL(`../../src/inspector/${folder}/`, import.meta.url);
    for (const name of readdirSync(fileURLToPath(directory))) {
      // Declarations and source maps are for developers.
      const type = name.endsWith('.d.ts') ? undefined : TYPES[name.slice(name.lastIndexOf('.') + 1)];
      if (type === undefined) continue;
      assets.set(`/${folder}/${name}`, { type, body: readFileSync(new URL(name, directory)) });
    }
  }
  const alias = (path: string, file: string): void => {
    const asset = assets.get(file);
    if (asset === undefined)
      throw new Error(`the inspector's page is not complete: ${file} is missing; build it again`);
    assets.set(path, asset);
  };
  alias('/', '/page/index.html');
  alias('/favicon.ico', '/page/icon.svg');
  alias(STATELY_PATH, '/page/stately.html');
  return assets;
}

/** Where the bridge to the Stately Inspector is. */
export const STATELY_PATH = '/stately';
