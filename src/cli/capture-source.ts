/** Where captured traffic comes from: a file, standard input, or a program that captures. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, open } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { CliError, Exit, usageError } from './exit.js';

export type CaptureOrigin =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'live'; readonly interface: string };

export interface OpenedCapture {
  /** For messages to the user. */
  readonly name: string;
  /** The interface, where the capture is of one only. */
  readonly interface: string | undefined;
  /** Ends with the capture; throws what reading fails with. Must be read, or returned from. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Opens a capture. Rejects a CliError that says what to do. After `signal` its chunks end. */
export async function openCapture(
  origin: CaptureOrigin,
  signal: AbortSignal,
  stdin: Readable,
): Promise<OpenedCapture> {
  switch (origin.kind) {
    case 'stdin':
      return { name: 'standard input', interface: undefined, chunks: chunksOf(stdin, signal) };
    case 'file':
      return { name: origin.path, interface: undefined, chunks: await openFile(origin.path, signal) };
    case 'live':
      return startCapture(origin.interface, signal);
  }
}

async function* chunksOf(stream: Readable, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const stop = (): void => void stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) return;
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function openFile(path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  try {
    const file = await open(path);
    if ((await file.stat()).isDirectory()) {
      await file.close();
      throw usageError(`${path} is a directory`);
    }
    return chunksOf(file.createReadStream({ highWaterMark: 65_536 }), signal);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw usageError(`${path} cannot be read: ${message}`);
    throw usageError(
      `'${path}' is not hexadecimal, and there is no file of that name`,
      'give the hex digits of one or more CBOR items, e.g. grasp decode 8100, or a pcap or pcapng file',
    );
  }
}

/** Programs that write what they capture to standard output, the first that is there is taken. */
const PROGRAMS: readonly { readonly file: string; readonly args: (name: string) => readonly string[] }[] = [
  // Each packet at once, all of it, and no names looked up.
  { file: 'tcpdump', args: (name) => ['-i', name, '-n', '-s', '0', '-U', '--immediate-mode', '-w', '-'] },
  { file: 'dumpcap', args: (name) => ['-q', '-i', name, '-w', '-'] },
];

async function startCapture(name: string, signal: AbortSignal): Promise<OpenedCapture> {
  for (const { file, args } of PROGRAMS) {
    const path = await findProgram(file);
    if (path === undefined) continue;
    const child = spawn(path, args(name), { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    try {
      await once(child, 'spawn');
    } catch (error) {
      throw new CliError(Exit.engine, `${file} cannot be started: ${(error as Error).message}`);
    }
    const stop = (): void => void child.kill('SIGINT');
    signal.addEventListener('abort', stop, { once: true });
    child.once('close', () => signal.removeEventListener('abort', stop));
    if (signal.aborted) stop();
    return {
      name: `${file} on ${name}`,
      interface: name === 'any' ? undefined : name,
      chunks: captured(child, signal, (code) => captureFailed(file, said, code)),
    };
  }
  throw new CliError(
    Exit.engine,
    'neither tcpdump nor dumpcap is installed, so nothing can be captured here',
    'install the package tcpdump, or wireshark-common (dumpcap); or give a capture file',
  );
}

/** Where a program is; undefined: nowhere in the path. */
async function findProgram(file: string): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const folder of folders) {
    const path = join(folder, file);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not there, or not for us.
    }
  }
  return undefined;
}

async function* captured(
  child: ChildProcess,
  signal: AbortSignal,
  failed: (code: number | null) => CliError,
): AsyncIterable<Uint8Array> {
  const closed = once(child, 'close') as Promise<[number | null]>;
  try {
    for await (const chunk of child.stdout!) yield chunk as Uint8Array;
    const [code] = await closed;
    if (code !== 0 && !signal.aborted) throw failed(code);
  } finally {
    child.kill('SIGINT');
    await closed;
  }
}

/** What the capturing program said is why it ended: its first line in its own name, else its last one. */
function captureFailed(file: string, said: string, code: number | null): CliError {
  const lines = said.trim().split('\n');
  const own = lines.find((line) => line.startsWith(`${file}:`) && !line.includes('listening on'));
  return new CliError(
    Exit.engine,
    own ?? `${file}: ${lines.at(-1) || `ended with ${code}`}`,
    'capturing needs privileges (root, or CAP_NET_RAW) and an interface that exists',
  );
}
