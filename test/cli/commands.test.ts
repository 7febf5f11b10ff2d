/** The commands against each other: real engines on a simulated link, everything in this thread. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Grasp, SimulatedNetwork, type Clock } from '../../src/cli/api.js';
import { Exit } from '../../src/cli/exit.js';
import { SimulatedClock } from '../../src/index.js';
import { grasp, type Line, type Run } from './world.js';

let network: SimulatedNetwork;
let processes: number;
const stops: AbortController[] = [];
const running: Promise<unknown>[] = [];

beforeEach(() => {
  network = new SimulatedNetwork({ seed: 1 });
  processes = 0;
});

afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort(new Error('the test is over'));
  await Promise.all(running.splice(0));
  network.close();
});

/** Every command is a process of its own: its own node on the link. */
function startEngine(): Promise<Grasp> {
  const node = network.addNode(`n${++processes}`, { links: ['l1'] });
  return Grasp.start({ substrate: { kind: 'simulated', node }, placement: 'inline' });
}

interface Background {
  readonly lines: Line[];
  readonly run: Promise<Run>;
  /** The one it runs on. */
  readonly engine: Promise<Grasp>;
  line(matches: (line: Line) => boolean): Promise<Line>;
  stop(): void;
}

function background(...given: (string | { clock: Clock })[]): Background {
  const argv = given.filter((each) => typeof each === 'string');
  const clock = given.find((each) => typeof each !== 'string')?.clock;
  const stop = new AbortController();
  let tellEngine!: (engine: Grasp) => void;
  const engine = new Promise<Grasp>((resolve) => (tellEngine = resolve));
  stops.push(stop);
  const lines: Line[] = [];
  const checks = new Set<() => void>();
  const run = grasp([...argv, '--json'], {
    clock,
    startEngine: async () => {
      const started = await startEngine();
      tellEngine(started);
      return started;
    },
    processId: ++processes,
    signal: stop.signal,
    onLine: (text) => {
      lines.push(JSON.parse(text) as Line);
      for (const check of [...checks]) check();
    },
  });
  running.push(run);
  return {
    lines,
    run,
    engine,
    stop: () => stop.abort(new Error('interrupted')),
    line: (matches) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const found = lines.find(matches);
          if (found === undefined) return;
          checks.delete(check);
          resolve(found);
        };
        checks.add(check);
        check();
        void run.then(({ stderr }) => reject(new Error(`ended without the line: ${stderr}`)));
      }),
  };
}

const event = (name: string) => (line: Line) => line['event'] === name;

async function offering(...argv: string[]): Promise<Background> {
  const offer = background('offer', ...argv);
  await offer.line(event('ready'));
  return offer;
}

function run(...argv: string[]): Promise<Run> {
  return grasp(argv, { startEngine, processId: ++processes });
}

const end = (lines: readonly Line[]): Line => {
  const { outcome, value, reason, code } = lines.find(event('end')) ?? {};
  return { outcome, value, reason, code };
};

describe('offer and negotiate', () => {
  test('agree at once on what is within VALUE', async () => {
    const offer = await offering('EX3', '["NZD",400]', '--once');
    const asked = await run('negotiate', 'EX3', '["NZD",300]', '--json');
    expect(asked.exit).toBe(Exit.done);
    expect(end(asked.lines)).toEqual({ outcome: 'accepted', value: ['NZD', 300], reason: null, code: 0 });
    expect((await offer.run).exit).toBe(Exit.done);
    expect(end(offer.lines)).toEqual(end(asked.lines));
  });

  test('end without agreement when there is none, and both say why', async () => {
    const offer = await offering('EX3', '["NZD",400]', '--once');
    const asked = await run('negotiate', 'EX3', '["NZD",900]', '--min', '800', '--json');
    expect(asked.exit).toBe(Exit.noAgreement);
    expect(end(asked.lines)).toEqual({
      outcome: 'declined',
      value: null,
      reason: 'at least NZD 800 is needed',
      code: 1,
    });
    expect((await offer.run).exit).toBe(Exit.noAgreement);
    expect(end(offer.lines)).toEqual(end(asked.lines));
  });

  test('with a loop count of its own: 2 leaves the offer one step, 1 none', async () => {
    const offer = await offering('EX3', '["NZD",400]');
    const two = await run('negotiate', 'EX3', '["NZD",500]', '--min', '400', '--loop-count', '2', '--json');
    expect(two.lines.map((line) => [line['loopCount'], line['value']])).toEqual([
      [2, ['NZD', 500]],
      [1, ['NZD', 400]],
      [undefined, ['NZD', 400]],
    ]);
    const one = await run('negotiate', 'EX3', '["NZD",500]', '--min', '400', '--loop-count', '1', '--json');
    expect(end(one.lines)).toMatchObject({ outcome: 'declined', reason: 'at most NZD 400 is offered' });
    offer.stop();
    expect((await offer.run).exit).toBe(Exit.done);
  });

  test('people read lines, not JSON', async () => {
    const offer = await offering('EX3', '["NZD",400]', '--once');
    const asked = await run('negotiate', 'EX3', '["NZD",500]', '--min', '100');
    expect(asked.stdout).toMatch(
      /^-> \["NZD",500\] {2}\(loop count 6\)\n<- \["NZD",200\] {2}\(loop count 5\)\n/,
    );
    expect(asked.stdout).toMatch(/Agreed on \["NZD",\d+\]\.\n$/);
    await offer.run;
  });

  test('nobody there is 17 and exit 1, with a hint', async () => {
    const asked = await run('negotiate', 'EX3', '1', '--json');
    expect(asked.exit).toBe(Exit.noAgreement);
    expect(asked.lines).toHaveLength(1);
    expect(asked.lines[0]).toMatchObject({ event: 'end', outcome: 'failed', code: 17 });
    expect(asked.stderr).toContain('noDiscReply, code 17');
  });

  test('a VALUE too long for a message is a usage error and nothing is sent', async () => {
    const offer = await offering('EX3', '1');
    const asked = await run('negotiate', 'EX3', JSON.stringify('x'.repeat(3000)), '--json');
    expect(asked.exit).toBe(Exit.usage);
    expect(asked.lines).toMatchObject([{ event: 'end', outcome: 'failed', code: 40 }]);
    expect(asked.stderr).toContain('tooBig');
    expect(offer.lines).toHaveLength(1);
  });

  test('many sessions at once, numbered, none mixed up', async () => {
    const offer = await offering('EX3', '["NZD",400]');
    const wants = Array.from({ length: 12 }, (_, i) => 100 + i * 50);
    const runs = await Promise.all(wants.map((want) => run('negotiate', 'EX3', `["u",${want}]`, '--json')));
    for (const each of runs) expect(end(each.lines)['reason']).toBe('only NZD is offered, not u');
    const good = await Promise.all(
      wants.map((want) => run('negotiate', 'EX3', `["NZD",${want}]`, '--min', '100', '--json')),
    );
    for (const each of good) expect(each.exit).toBe(Exit.done);
    offer.stop();
    await offer.run;
    const sessions = offer.lines.filter(event('end')).map((line) => line['session'] as number);
    expect(sessions.sort((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
    // Each accepted session's end is what one of the clients got.
    const agreed = (lines: readonly Line[]) =>
      lines.filter((l) => l['outcome'] === 'accepted').map((l) => JSON.stringify(l['value']));
    expect(agreed(offer.lines).sort()).toEqual(agreed(good.flatMap((each) => each.lines)).sort());
  });

  test('dry run is declined unless offered', async () => {
    const strict = await offering('EX3', '1', '--once');
    const refused = await run('negotiate', 'EX3', '1', '--dry-run', '--json');
    expect(end(refused.lines)).toMatchObject({ outcome: 'declined', reason: 'no dry run here' });
    await strict.run;
    const open = await offering('EX3', '1', '--once', '--dry-run');
    const served = await run('negotiate', 'EX3', '1', '--dry-run', '--json');
    expect(served.exit).toBe(Exit.done);
    await open.run;
    for (const line of [...served.lines, ...open.lines.slice(1)]) expect(line['dryRun']).toBe(true);
  });

  test('an interrupted offer ends sessions under way as declined and exits 0', async () => {
    const offer = await offering('EX3', '["NZD",400]');
    const client = await startEngine();
    const asa = await client.registerAsa('silent');
    const ex3 = await asa.registerObjective({ name: 'EX3', negotiate: true });
    const reply = await asa.requestNegotiate(ex3, ['NZD', 500]);
    expect(reply.state).toBe('offered');
    offer.stop();
    const stopped = await offer.run;
    expect(stopped.exit).toBe(Exit.done);
    expect(end(offer.lines)).toEqual({
      outcome: 'declined',
      value: null,
      reason: 'interrupted by the user',
      code: 1,
    });
    await client.close();
  });

  test('an interrupted negotiate says so and exits 1', async () => {
    const server = await startEngine();
    const asa = await server.registerAsa('slow');
    const ex3 = await asa.registerObjective({ name: 'EX3', negotiate: true });
    const arrived = new Promise<void>((resolve) => {
      void ex3.onNegotiate(async (session) => {
        resolve();
        await new Promise<void>((ended) => session.signal.addEventListener('abort', () => ended()));
      });
    });
    const asking = background('negotiate', 'EX3', '1');
    await arrived;
    asking.stop();
    const { exit, stderr } = await asking.run;
    expect(exit).toBe(Exit.noAgreement);
    expect(stderr).toBe('');
    expect(end(asking.lines)).toMatchObject({ outcome: 'failed', reason: 'interrupted by the user' });
    await server.close();
  });

  test('the loss of security ends an offer’s sessions, later ones are served again', async () => {
    const offer = await offering('EX3', '["NZD",400]');
    const node = network.node('n2');
    node.setSecurity('none');
    const during = await run('negotiate', 'EX3', '1', '--json');
    expect(during.exit).toBe(Exit.noAgreement);
    node.setSecurity('insecure');
    const after = await run('negotiate', 'EX3', '["NZD",1]', '--json');
    expect(after.exit).toBe(Exit.done);
    offer.stop();
    await offer.run;
  });
});

describe('discover', () => {
  test('prints each locator as it comes; exit 0 if there is one', async () => {
    await offering('EX4', '1');
    await offering('EX4', '2');
    const found = await run('discover', 'EX4', '--timeout', '200', '--json');
    expect(found.exit).toBe(Exit.done);
    expect(found.lines).toHaveLength(2);
    for (const line of found.lines) {
      expect(Object.keys(line)).toEqual([
        'event',
        'address',
        'port',
        'protocol',
        'interface',
        'diverted',
        'expiresAt',
        'afterMs',
      ]);
      expect(line).toMatchObject({ event: 'locator', protocol: 'tcp', interface: 'l1', diverted: false });
    }
    const text = await run('discover', 'EX4', '--first', '--timeout', '4000000000');
    expect(text.stdout).toMatch(/^\[fd67:[0-9a-f:]+\]:\d+ {2}tcp {2}by l1 {2}valid until \d{4}-.*Z\n$/);
  });

  test('nobody found is exit 1', async () => {
    const run1 = await run('discover', 'EX4', '--timeout', '1');
    expect(run1).toMatchObject({
      exit: Exit.noAgreement,
      stdout: '',
      stderr: 'grasp: nobody answered for EX4\n',
    });
  });

  test('a name that cannot be one is told at once', async () => {
    const bad = await run('discover', '');
    expect(bad.exit).not.toBe(Exit.done);
    expect(bad.stderr).toMatch(/^grasp: /);
    expect(bad.stderr).not.toMatch(/^\s+at /m);
  });
});

describe('publish and synchronize', () => {
  async function publishing(...argv: string[]): Promise<Background> {
    const publish = background('publish', ...argv);
    await publish.line(event('ready'));
    return publish;
  }

  test('the value gets there, with where it is from', async () => {
    const publish = await publishing('EX1', '["NZD",7]');
    const { objective, address, port, interfaces, security } = publish.lines[0]!;
    expect({ objective, interfaces, security }).toEqual({
      objective: 'EX1',
      interfaces: ['l1'],
      security: 'insecure',
    });
    const got = await run('synchronize', 'EX1', '--json');
    expect(got).toMatchObject({ exit: Exit.done, stderr: '' });
    expect(got.lines).toEqual([
      {
        event: 'value',
        name: 'EX1',
        value: ['NZD', 7],
        locator: { address, port, protocol: 'tcp', interface: 'l1' },
        interface: null,
        expiresAt: null,
        source: 'request',
      },
    ]);
    const named = await run('synchronize', 'EX1', '--peer', `[${String(address)}]:${String(port)}`);
    expect(named.stdout).toBe(`EX1 = ["NZD",7]  from [${String(address)}]:${String(port)}  (request)\n`);
    publish.stop();
    expect((await publish.run).exit).toBe(Exit.done);
  });

  test('--rapid: the value comes with the answer to the discovery', async () => {
    await publishing('EX1', '{"a":1}', '--rapid');
    const got = await run('synchronize', 'EX1', '--json');
    expect(got.lines).toMatchObject([{ value: { a: 1 }, source: 'rapid', expiresAt: expect.any(Number) }]);
  });

  test('a tag-24 value is understood as what it wraps', async () => {
    await publishing('EX1', '{"$cbor":[1,2]}');
    const got = await run('synchronize', 'EX1', '--json');
    expect(got.lines).toMatchObject([{ value: [1, 2], tag24: true }]);
  });

  test('nobody has it: 33, nobody listens there: 34; exit 1, with a hint', async () => {
    const none = await run('synchronize', 'EX1', '--loop-count', '1', '--json');
    expect(none).toMatchObject({ exit: Exit.noAgreement, stdout: '' });
    expect(none.stderr).toContain('notFloodDisc, code 33');
    expect(none.stderr).toContain('grasp publish');
    const refused = await run('synchronize', 'EX1', '--peer', '[fd67:7261:7370::1]:1', '--timeout', '50');
    expect(refused.exit).toBe(Exit.noAgreement);
    expect(refused.stderr).toContain('sockErrSynRq, code 34');
  });

  test('a value that fits no message is a usage error', async () => {
    const publish = await run('publish', 'EX1', JSON.stringify('x'.repeat(3_000)));
    expect(publish.exit).toBe(Exit.usage);
    expect(publish.stderr).toContain('tooBig, code 40');
  });
});

describe('flood, get-flood and daemon', () => {
  const LOCATOR = { address: 'fd00::7', port: 4000, protocol: 'tcp', interface: 'l1' };

  test('a flood is shown by those that watch, with its tag and how long it is valid', async () => {
    const watch = background('get-flood', 'EX1', '--watch');
    const waiting = background('get-flood', 'EX1', '--timeout', '60000');
    const daemon = background('daemon');
    const ready = await daemon.line(event('ready'));
    expect(Object.keys(ready)).toEqual(['event', 'address', 'interfaces', 'security']);
    // What watches has said nothing yet; its engine is up when it answers discoveries no more than others.
    await started(watch, waiting);
    const before = Date.now();
    const flood = await run(
      'flood',
      'EX1',
      '["NZD",7]',
      '--ttl',
      '9000',
      '--locator',
      '[fd00::7]:4000',
      '--json',
    );
    expect(flood).toMatchObject({ exit: Exit.done, stderr: '' });
    expect(flood.lines).toEqual([
      { event: 'sent', name: 'EX1', value: ['NZD', 7], ttl: 9_000, at: expect.any(Number) },
    ]);
    const shown = await watch.line(event('value'));
    expect(shown).toEqual({
      event: 'value',
      at: expect.any(Number),
      name: 'EX1',
      value: ['NZD', 7],
      locator: LOCATOR,
      interface: 'l1',
      expiresAt: expect.any(Number),
      source: 'flood',
    });
    expect(shown['expiresAt']).toBeGreaterThanOrEqual(before + 8_999);
    expect((await waiting.run).exit).toBe(Exit.done);
    expect(waiting.lines).toEqual([{ ...shown, at: expect.any(Number), expiresAt: expect.any(Number) }]);

    // Another tag is another entry; the entry that did not change is not shown again.
    await run('flood', 'EX1', '8', '--ttl', '0', '--locator', 'host.example:1/udp');
    await watch.line((line) => line['value'] === 8);
    const [first, ...values] = watch.lines;
    expect(first).toMatchObject({ event: 'ready' });
    expect(values.map((line) => line['value'])).toEqual([['NZD', 7], 8]);
    expect(values[1]).toMatchObject({
      locator: { address: 'host.example', port: 1, protocol: 'udp' },
      expiresAt: 0,
    });
    watch.stop();
    expect((await watch.run).exit).toBe(Exit.done);
    daemon.stop();
    expect(await daemon.run).toMatchObject({ exit: Exit.done, stderr: '' });
  });

  /** Engines of commands that print nothing at first are up when their nodes have joined the link. */
  async function started(...commands: Background[]): Promise<void> {
    const engines = await Promise.all(commands.map(({ engine }) => engine));
    await Promise.all(engines.map((engine) => engine.status()));
  }

  test('--every repeats it until interrupted; the ttl covers three periods', async () => {
    const clock = new SimulatedClock();
    const flood = background('flood', 'EX1', '1', '--every', '100', { clock });
    await flood.line(event('sent'));
    await clock.advance(100_000);
    await flood.line((line) => flood.lines.indexOf(line) === 1);
    await clock.advance(100_000);
    await flood.line((line) => flood.lines.indexOf(line) === 2);
    expect(flood.lines.map((line) => line['ttl'])).toEqual([350_000, 350_000, 350_000]);
    flood.stop();
    expect(await flood.run).toMatchObject({ exit: Exit.done, stderr: '' });
  });

  test('nothing is flooded: exit 1, and how to wait for it', async () => {
    const none = await run('get-flood', 'EX1');
    expect(none).toMatchObject({ exit: Exit.noAgreement, stdout: '' });
    expect(none.stderr).toContain('nothing is flooded for EX1');
    expect(none.stderr).toContain('--watch');
    const waited = await run('get-flood', 'EX1', '--timeout', '1');
    expect(waited.exit).toBe(Exit.noAgreement);
    const stopped = background('get-flood', 'EX1', '--timeout', '4000000000');
    await started(stopped);
    stopped.stop();
    expect((await stopped.run).exit).toBe(Exit.noAgreement);
  });

  test('more than a datagram holds is a usage error; more often than every 3 s is warned of', async () => {
    const big = await run('flood', 'EX1', JSON.stringify('x'.repeat(1_300)));
    expect(big.exit).toBe(Exit.usage);
    expect(big.stderr).toContain('tooBig, code 40');
    const often = background('flood', 'EX1', '1', '--every', '0.5');
    await often.line(event('sent'));
    often.stop();
    expect((await often.run).stderr).toContain('RFC 8085');
  });
});
