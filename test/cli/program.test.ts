import { describe, expect, test } from '@jest/globals';
import { Exit, comesFromPeer, describeFailure, exitForCode, CliError } from '../../src/cli/exit.js';
import { ErrorCode, GraspError } from '../../src/protocol/index.js';
import { startEngine } from '../../src/cli/engine.js';
import { grasp } from './world.js';

describe('usage errors end with 2 and start nothing', () => {
  test.each<[string, readonly string[], string]>([
    ['no command', [], 'Usage: grasp'],
    ['unknown command', ['frobnicate'], "unknown command 'frobnicate'"],
    ['unknown option', ['discover', 'EX3', '--frob'], "unknown option '--frob'"],
    ['no name', ['discover'], "missing required argument 'NAME'"],
    ['no value', ['offer', 'EX3'], "missing required argument 'VALUE'"],
    ['surplus argument', ['discover', 'EX3', 'EX4'], 'too many arguments'],
    ['VALUE no JSON', ['offer', 'EX3', '[1'], 'VALUE is not JSON'],
    ['VALUE no hex', ['offer', 'EX3', 'zz', '--cbor'], 'VALUE is not hexadecimal'],
    ['VALUE no item', ['offer', 'EX3', '0102', '--cbor'], 'not one well-formed CBOR item'],
    ['--timeout no number', ['discover', 'EX3', '--timeout', 'soon'], 'whole number from 0 to 4294967295'],
    ['--timeout beyond 32 bit', ['discover', 'EX3', '--timeout', '4294967296'], 'whole number'],
    ['--timeout 0 of a step', ['negotiate', 'EX3', '1', '--timeout', '0'], 'whole number from 1'],
    ['--loop-count 0', ['discover', 'EX3', '--loop-count', '0'], 'whole number from 1 to 255'],
    ['--loop-count 256', ['negotiate', 'EX3', '1', '--loop-count', '256'], 'whole number from 1 to 255'],
    ['--min no number', ['negotiate', 'EX3', '["a",1]', '--min', 'x'], 'It must be a number'],
    ['--min without amount', ['negotiate', 'EX3', '1', '--min', '1'], '--min goes only with'],
    ['--min above VALUE', ['negotiate', 'EX3', '["a",1]', '--min', '2'], '--min 2 is more than'],
    ['--peer without port', ['negotiate', 'EX3', '1', '--peer', 'fd00::1'], 'no address with a port'],
    ['--peer of synchronize', ['synchronize', 'EX1', '--peer', 'a b:1'], 'no address with a port'],
    ['--timeout 0 of synchronize', ['synchronize', 'EX1', '--timeout', '0'], 'whole number from 1'],
    ['publish without VALUE', ['publish', 'EX1'], "missing required argument 'VALUE'"],
    [
      '--ttl beyond 32 bit',
      ['flood', 'EX1', '1', '--ttl', '4294967296'],
      'whole number from 0 to 4294967295',
    ],
    ['--every 0', ['flood', 'EX1', '1', '--every', '0'], 'number of seconds from 0.001'],
    ['--every no number', ['flood', 'EX1', '1', '--every', '1e3'], 'number of seconds'],
    ['--locator without port', ['flood', 'EX1', '1', '--locator', 'fd00::1'], '--locator "fd00::1"'],
    ['--timeout of get-flood', ['get-flood', 'EX1', '--timeout', '-1'], 'whole number'],
    ['daemon with an argument', ['daemon', 'EX1'], 'too many arguments'],
    ['--metrics no port', ['daemon', '--metrics', 'x'], 'whole number from 0 to 65535'],
    ['--metrics beyond', ['daemon', '--metrics', '65536'], 'whole number from 0 to 65535'],
    ['--grays 0', ['demo', '--grays', '0'], 'whole number from 1 to 100'],
    ['--seed text', ['demo', '--seed', 'x'], 'whole number'],
    ['decode without hex', ['decode', 'xyz'], 'not hexadecimal'],
    ['decode of nothing', ['decode'], 'nothing to decode'],
  ])('%s', async (_name, argv, message) => {
    const run = await grasp(argv);
    expect(run.exit).toBe(Exit.usage);
    expect(run.stderr).toContain(message);
    expect(run.stdout).toBe('');
    expect(run.stderr).not.toMatch(/^\s+at /m);
  });
});

test('help and version end with 0 on stdout, and every command tells its options', async () => {
  const version = await grasp(['--version']);
  expect(version).toMatchObject({ exit: Exit.done, stdout: '0.0.0-test\n', stderr: '' });
  const help = await grasp(['--help']);
  expect(help.exit).toBe(Exit.done);
  const options: Readonly<Record<string, readonly string[]>> = {
    discover: ['--interface', '--insecure', '--json', '--verbose', '--timeout', '--first', '--loop-count'],
    offer: ['--interface', '--insecure', '--json', '--verbose', '--once', '--dry-run', '--cbor', '--timeout'],
    negotiate: [
      '--min',
      '--accept-any',
      '--dry-run',
      '--peer',
      '--timeout',
      '--cbor',
      '--loop-count',
      '--interface',
    ],
    synchronize: ['--peer', '--timeout', '--loop-count', '--interface', '--insecure', '--json', '--verbose'],
    publish: ['--rapid', '--cbor', '--interface', '--insecure', '--json', '--verbose'],
    flood: ['--ttl', '--every', '--locator', '--cbor', '--loop-count', '--interface', '--insecure', '--json'],
    'get-flood': ['--watch', '--timeout', '--interface', '--insecure', '--json', '--verbose'],
    daemon: ['--interface', '--insecure', '--json', '--verbose', '--metrics', '--family', '--limit'],
    decode: ['--json', '--live', '--interface', '--port'],
    demo: ['--seed', '--grays', '--json'],
  };
  for (const [command, names] of Object.entries(options)) {
    expect(help.stdout).toContain(command);
    const one = await grasp([command, '--help']);
    expect(one.exit).toBe(Exit.done);
    for (const name of names) expect(one.stdout).toContain(name);
  }
});

describe('options of the engine', () => {
  test('--family and --limit may be repeated; the last word about a limit counts', async () => {
    let got: unknown;
    await grasp(
      ['daemon', '--insecure', '--family', 'ipv6', '--family', 'ipv4', '--family', 'ipv6'].concat(
        '--limit',
        'floodCache=5',
        '--limit',
        'sessions=7',
        '--limit',
        'floodCache=6',
      ),
      {
        startEngine: (options) => {
          got = options;
          return Promise.reject(new Error('enough'));
        },
      },
    );
    expect(got).toMatchObject({ family: ['ipv6', 'ipv4'], limit: { floodCache: 6, sessions: 7 } });
  });

  test.each([
    [['--family', 'ipv5'], 'ipv6 or ipv4'],
    [['--limit', 'floods=1'], 'floodCache'],
    [['--limit', 'toString=1'], 'floodCache'],
    [['--limit', 'floodCache'], 'whole number'],
    [['--limit', 'floodCache=-1'], 'whole number'],
    [['--limit', 'floodCache=1=2'], 'NAME=N'],
  ])('%j is a usage error that says what it may be', async (options, said) => {
    const run = await grasp(['daemon', '--insecure', ...options]);
    expect(run.exit).toBe(Exit.usage);
    expect(run.stderr).toContain(said);
  });
});

describe('exit codes', () => {
  test('what a peer did or that nobody was there is 1: codes 1, 17-28, 31-37', () => {
    const fromPeer = Object.values(ErrorCode).filter((code) => exitForCode(code) === Exit.noAgreement);
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
    expect(fromPeer).toEqual([1, ...range(17, 28), ...range(31, 37)]);
    expect(comesFromPeer(0)).toBe(false);
    expect(exitForCode(0)).toBe(Exit.done);
  });

  test('noSecurity, lost workers and the like are 3; what the user wrote and cannot be sent is 2', () => {
    for (const code of [3, 4, 5, 6, 16, 29, 30, 41, 42, 43]) expect(exitForCode(code)).toBe(Exit.engine);
    for (const code of [ErrorCode.invalidLoc, ErrorCode.tooBig]) expect(exitForCode(code)).toBe(Exit.usage);
  });

  test('a failure is one line with the RFC name and number, and says what to do', () => {
    const failure = describeFailure(new GraspError(ErrorCode.noSecurity));
    expect(failure).toMatchObject({ exit: Exit.engine, message: 'No security (noSecurity, code 16)' });
    expect(failure.hint).toContain('--insecure');
    expect(describeFailure(new GraspError(ErrorCode.noDiscReply)).exit).toBe(Exit.noAgreement);
    expect(describeFailure(new CliError(Exit.usage, 'x', 'y'))).toEqual({ exit: 2, message: 'x', hint: 'y' });
    expect(describeFailure(new TypeError('bad'))).toMatchObject({ exit: Exit.engine, message: 'bad' });
    expect(describeFailure('text')).toMatchObject({ exit: Exit.engine, message: 'text' });
  });
});

describe('the engine does not start', () => {
  test('without --insecure: noSecurity (16), exit 3, and how to allow it', async () => {
    const run = await grasp(['negotiate', 'EX3', '["NZD",300]'], { startEngine });
    expect(run.exit).toBe(Exit.engine);
    expect(run.stderr).toContain('noSecurity, code 16');
    expect(run.stderr).toContain('--insecure');
    expect(run.stdout).toBe('');
  });

  test('an unknown interface: exit 3, and which ones exist', async () => {
    const run = await grasp(['discover', 'EX3', '-i', 'nosuchif0', '--insecure'], { startEngine });
    expect(run.exit).toBe(Exit.engine);
    expect(run.stderr).toContain('"nosuchif0"');
    expect(run.stderr).toMatch(/interfaces that are up: .*lo/);
  });

  test('any other reason: exit 3 and one line', async () => {
    const run = await grasp(['discover', 'EX3'], {
      startEngine: () => Promise.reject(new Error('no memory')),
    });
    expect(run).toMatchObject({ exit: Exit.engine, stdout: '', stderr: 'grasp: no memory\n' });
  });
});
