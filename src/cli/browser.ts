/** Shows a page of this host in the user's browser. */
import { spawn } from 'node:child_process';
import { platform } from 'node:os';
import { CliError, Exit } from './exit.js';

/** The program that opens a URL; an argument, never a shell's text. */
function opener(url: string): [string, string[]] {
  switch (platform()) {
    case 'darwin':
      return ['open', [url]];
    case 'win32':
      return ['rundll32', ['url.dll,FileProtocolHandler', url]];
    default:
      return ['xdg-open', [url]];
  }
}

/** Resolves when the browser has been asked to. Rejects a {@link CliError} when there is nothing to ask. */
export function openBrowser(url: string): Promise<void> {
  const [program, args] = opener(url);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'ignore', detached: true });
    child.once('error', (error) =>
      reject(
        new CliError(Exit.engine, `no browser could be opened (${program})`, `open ${url} yourself`, {
          cause: error,
        }),
      ),
    );
    child.once('spawn', () => {
      // It may live longer than this command.
      child.unref();
      resolve();
    });
  });
}
