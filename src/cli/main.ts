#!/usr/bin/env node
/**
 * The `grasp` command. Allowed imports of this folder: api, capture, inspector,
 * protocol. This file alone touches the process: its
 * arguments, streams, signals and exit code; everything else takes them from a {@link World}.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realTime } from './api.js';
import { openBrowser } from './browser.js';
import { openCapture } from './capture-source.js';
import { startEngine } from './engine.js';
import { run, type World } from './program.js';

const interrupted = new AbortController();

function interrupt(signal: NodeJS.Signals): void {
  // The second signal does not wait for a clean end.
  if (interrupted.signal.aborted) process.exit(1);
  interrupted.abort(new Error(`interrupted by ${signal}`));
}
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);

// A reader that has seen enough (`grasp discover EX3 | head -1`) ends the command like an interruption.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  interrupted.abort(error);
});

async function readStdin(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) text += String(chunk);
  return text;
}

function packageVersion(): string {
  const file = join(dirname(fileURLToPath(import.meta.url)), '../../../package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}

const world: World = {
  version: packageVersion(),
  processId: process.pid,
  clock: realTime,
  signal: interrupted.signal,
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  stdin: readStdin,
  openCapture: (origin, signal) => openCapture(origin, signal, process.stdin),
  startEngine,
  openBrowser,
};

// No process.exit: what is still on its way to stdout gets there, and a resource left open would show.
process.exitCode = await run(process.argv.slice(2), world);
process.off('SIGINT', interrupt);
process.off('SIGTERM', interrupt);
