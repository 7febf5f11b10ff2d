/** The command line over real links, in network namespaces: "Must show" of the foundation, word for word. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { labDescribe } from './describe.js';
import { createLab, type Lab } from './netns.js';
import { agreement, only, runGrasp, startAgent, startGrasp, type Line } from './program.js';

jest.setTimeout(60_000);

const IF = 'l1';
const ON = ['-i', IF, '--insecure', '--json'];

labDescribe('grasp in namespaces', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await createLab({ nodes: ['a', 'b', 'c', 'alone'], links: { [IF]: ['a', 'b', 'c'] }, ula: true });
  });
  afterAll(async () => {
    await lab.close();
  });

  test('offer and negotiate agree: exit 0, both end lines say the same', async () => {
    const offer = startGrasp(lab, 'a', 'offer', 'EX3', '["NZD",400]', ...ON);
    const ready = await offer.event('ready');
    expect(ready).toMatchObject({
      objective: 'EX3',
      address: lab.addresses('a', IF).ula,
      interfaces: [IF],
      security: 'insecure',
    });
    expect(ready['port']).toBeGreaterThan(0);
    const asked = await runGrasp(lab, 'b', 'negotiate', 'EX3', '["NZD",300]', ...ON);
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(asked.lines).toEqual([
      { event: 'step', direction: 'sent', loopCount: 6, value: ['NZD', 300] },
      { event: 'end', outcome: 'accepted', value: ['NZD', 300], reason: null, code: 0 },
    ]);
    const end = await offer.event('end');
    expect(agreement(end)).toEqual(agreement(only(asked, 'end')));
    expect(offer.lines.slice(1, -1)).toEqual([
      {
        event: 'step',
        session: 1,
        peer: end['peer'],
        direction: 'received',
        loopCount: 6,
        value: ['NZD', 300],
      },
    ]);

    // The same offer, asked for more than it can give.
    const greedy = await runGrasp(lab, 'b', 'negotiate', 'EX3', '["NZD",900]', '--min', '800', ...ON);
    expect(greedy.code).toBe(1);
    const greedyEnd = only(greedy, 'end');
    expect(['declined', 'failed']).toContain(greedyEnd['outcome']);
    expect(agreement(await offer.event('end', 2))).toEqual(agreement(greedyEnd));
    // What one side sent is what the other received, with the same loop counts.
    const said = (lines: readonly Line[], direction: string) =>
      lines.filter((l) => l['direction'] === direction).map((l) => [l['loopCount'], l['value']]);
    const offerLines = offer.lines.filter((l) => l['session'] === 2);
    expect(said(offerLines, 'received')).toEqual(said(greedy.lines, 'sent'));
    expect(said(offerLines, 'sent')).toEqual(said(greedy.lines, 'received'));
    expect(said(offerLines, 'sent')).toHaveLength(3);

    // A middle way within the loop count.
    const patient = await runGrasp(lab, 'b', 'negotiate', 'EX3', '["NZD",900]', '--min', '350', ...ON);
    expect(patient.code).toBe(0);
    expect(agreement(await offer.event('end', 3))).toEqual(agreement(only(patient, 'end')));

    offer.kill('SIGINT');
    expect(await offer.ended).toEqual({ code: 0, signal: null });
    expect(offer.stderr).toBe('');
  });

  test('a second offer in a third namespace is found too; --first ends at the first', async () => {
    const first = startGrasp(lab, 'a', 'offer', 'EX4', '1', ...ON);
    const second = startGrasp(lab, 'c', 'offer', 'EX4', '1', ...ON);
    const ports = [await first.event('ready'), await second.event('ready')].map((ready) => ready['port']);
    const found = await runGrasp(lab, 'b', 'discover', 'EX4', ...ON);
    expect(found).toMatchObject({ code: 0, stderr: '' });
    const places = found.lines.map((line) => [line['event'], line['address'], line['port']]);
    expect(places.sort()).toEqual([
      ['locator', lab.addresses('a', IF).ula, ports[0]],
      ['locator', lab.addresses('c', IF).ula, ports[1]],
    ]);
    for (const line of found.lines) {
      expect(line).toMatchObject({ protocol: 'tcp', interface: IF, diverted: false });
      expect(line['expiresAt']).toBeGreaterThan(1_700_000_000_000);
    }
    // With all the time in the world, the first answer ends it.
    const one = await runGrasp(lab, 'b', 'discover', 'EX4', '--first', '--timeout', '3600000', ...ON);
    expect(one.code).toBe(0);
    expect(one.lines).toHaveLength(1);
    for (const offer of [first, second]) {
      offer.kill('SIGTERM');
      expect(await offer.ended).toEqual({ code: 0, signal: null });
    }
    // Gone is gone.
    const nobody = await runGrasp(lab, 'b', 'discover', 'EX4', '--timeout', '200', ...ON);
    expect(nobody).toMatchObject({ code: 1, stdout: '' });
    expect(nobody.stderr).toContain('nobody answered for EX4');
  });

  test('selftest on two real interfaces: every step holds', async () => {
    const links = await createLab({
      nodes: ['host', 'other'],
      links: { [IF]: ['host', 'other'], l2: ['host', 'other'] },
      ula: true,
    });
    try {
      const { code, lines } = await runGrasp(links, 'host', 'selftest', '-i', 'l2', ...ON);
      expect(lines.filter((line) => line['ok'] === false)).toEqual([]);
      expect(code).toBe(0);
    } finally {
      await links.close();
    }
  });

  test('--family: multicasts by these only; --limit: as in the library', async () => {
    const both = await createLab({ nodes: ['a', 'b'], links: { [IF]: ['a', 'b'] }, ula: true, ipv4: true });
    try {
      const offer = startGrasp(both, 'a', 'offer', 'EX3', '1', '--family', 'ipv6', ...ON);
      await offer.event('ready');
      const discover = (...families: string[]) =>
        runGrasp(both, 'b', 'discover', 'EX3', '--first', ...families, ...ON);
      expect((await discover('--family', 'ipv4')).code).toBe(1);
      expect((await discover('--family', 'ipv4', '--family', 'ipv6')).code).toBe(0);
      const watch = await runGrasp(
        both,
        'b',
        'get-flood',
        'EX1',
        '--watch',
        '--limit',
        'floodWatches=0',
        ...ON,
      );
      expect(watch).toMatchObject({ code: 3 });
      expect(watch.stderr).toContain('code 43');
    } finally {
      await both.close();
    }
  });

  test('nobody offers it: negotiate fails with noDiscReply (17), exit 1', async () => {
    const run = await runGrasp(lab, 'b', 'negotiate', 'EX5', '1', ...ON);
    expect(run.code).toBe(1);
    expect(run.lines).toEqual([
      expect.objectContaining({ event: 'end', outcome: 'failed', value: null, code: 17 }),
    ]);
    expect(run.stderr).toContain('noDiscReply, code 17');
  });

  test('--peer by ULA and by link-local address with interface; a port where nobody listens is 18', async () => {
    const offer = startGrasp(lab, 'a', 'offer', 'EX6', '"x"', ...ON);
    const port = Number((await offer.event('ready'))['port']);
    const { ula, linkLocal } = lab.addresses('a', IF);
    for (const peer of [`[${ula}]:${port}`, `[${linkLocal}%${IF}]:${port}`, `${linkLocal}%${IF}:${port}`]) {
      const run = await runGrasp(lab, 'b', 'negotiate', 'EX6', '"x"', '--peer', peer, ...ON);
      expect([peer, run.code, only(run, 'end')['value']]).toEqual([peer, 0, 'x']);
    }
    const refused = await runGrasp(lab, 'b', 'negotiate', 'EX6', '"x"', '--peer', `[${ula}]:1`, ...ON);
    expect(refused.code).toBe(1);
    expect(refused.lines).toEqual([expect.objectContaining({ event: 'end', outcome: 'failed', code: 18 })]);
    offer.kill('SIGINT');
    expect((await offer.ended).code).toBe(0);
  });

  test('an offer killed in the middle of a session: the other side fails with a code, exit 1', async () => {
    const offer = startGrasp(lab, 'a', 'offer', 'EX7', '["NZD",400]', ...ON);
    const port = Number((await offer.event('ready'))['port']);
    // Stopped, it takes the connection and the request (its kernel does) and answers nothing.
    offer.kill('SIGSTOP');
    const peer = `[${lab.addresses('a', IF).ula}]:${port}`;
    const asking = startGrasp(lab, 'b', 'negotiate', 'EX7', '["NZD",300]', '--peer', peer, ...ON);
    await bytesArrived(lab, 'a', port);
    offer.kill('SIGKILL');
    expect((await asking.ended).code).toBe(1);
    expect(only(asking, 'end')).toMatchObject({ outcome: 'failed', value: null, code: 23 });
    expect(asking.stderr).not.toMatch(/^\s+at /m);
  });

  test('a client killed in the middle of a session harms nobody: the next one is served', async () => {
    const offer = startGrasp(lab, 'a', 'offer', 'EX8', '["NZD",400]', ...ON);
    await offer.event('ready');
    const client = startAgent(lab, 'b', 'silent-client', IF, 'EX8', '["NZD",500]');
    // It has got an offer and says nothing more.
    await client.event('offered');
    client.kill('SIGKILL');
    await client.ended;
    expect(await offer.event('end')).toMatchObject({ session: 1, outcome: 'failed', code: 23 });
    const next = await runGrasp(lab, 'b', 'negotiate', 'EX8', '["NZD",300]', ...ON);
    expect(next.code).toBe(0);
    offer.kill('SIGINT');
    expect((await offer.ended).code).toBe(0);
  });

  test('interrupted in the middle of a session, both sides end it as declined', async () => {
    const offer = startGrasp(lab, 'a', 'offer', 'EX9', '["NZD",400]', ...ON);
    await offer.event('ready');
    const client = startAgent(lab, 'b', 'silent-client', IF, 'EX9', '["NZD",500]');
    await client.event('offered');
    offer.kill('SIGTERM');
    expect((await offer.ended).code).toBe(0);
    expect(await offer.event('end')).toMatchObject({
      outcome: 'declined',
      reason: 'interrupted by the user',
      code: 1,
    });
    expect(await client.event('ended')).toMatchObject({ code: 1 });
    expect((await client.ended).code).toBe(0);
  });

  test('several negotiations at once with one offer, from two nodes', async () => {
    const offer = startGrasp(lab, 'a', 'offer', 'EX0', '["NZD",400]', ...ON);
    await offer.event('ready');
    const wants = [100, 200, 300, 500, 600, 700];
    const runs = await Promise.all(
      wants.map((want, i) =>
        runGrasp(lab, i % 2 === 0 ? 'b' : 'c', 'negotiate', 'EX0', `["NZD",${want}]`, '--min', '90', ...ON),
      ),
    );
    for (const [i, run] of runs.entries()) {
      expect([i, run.code, run.stderr]).toEqual([i, 0, '']);
      const [, amount] = only(run, 'end')['value'] as [string, number];
      expect(amount).toBeGreaterThanOrEqual(90);
      expect(amount).toBeLessThanOrEqual(400);
    }
    await offer.event('end', wants.length);
    const ends = offer.lines.filter((line) => line['event'] === 'end');
    expect(ends.map((line) => line['session']).sort()).toEqual([1, 2, 3, 4, 5, 6]);
    const values = (lines: readonly Line[]) =>
      lines.map((line) => (line['value'] as [string, number])[1]).sort();
    expect(values(ends)).toEqual(values(runs.map((run) => only(run, 'end'))));
    offer.kill('SIGINT');
    expect((await offer.ended).code).toBe(0);
  });

  test('--once serves one session and ends; its exit code is that of the session', async () => {
    const good = startGrasp(lab, 'a', 'offer', 'EX1', '["NZD",400]', '--once', ...ON);
    await good.event('ready');
    expect((await runGrasp(lab, 'b', 'negotiate', 'EX1', '["NZD",1]', ...ON)).code).toBe(0);
    expect((await good.ended).code).toBe(0);
    const bad = startGrasp(lab, 'a', 'offer', 'EX1', '["NZD",400]', '--once', ...ON);
    await bad.event('ready');
    expect((await runGrasp(lab, 'b', 'negotiate', 'EX1', '["USD",1]', ...ON)).code).toBe(1);
    expect((await bad.ended).code).toBe(1);
    expect(bad.lines.filter((line) => line['event'] === 'end')).toHaveLength(1);
  });

  test('dry run is said in every line and served only by who allows it', async () => {
    const strict = startGrasp(lab, 'a', 'offer', 'EX2', '["NZD",400]', '--once', ...ON);
    await strict.event('ready');
    const refused = await runGrasp(lab, 'b', 'negotiate', 'EX2', '["NZD",1]', '--dry-run', ...ON);
    expect(only(refused, 'end')).toMatchObject({
      outcome: 'declined',
      reason: 'no dry run here',
      dryRun: true,
    });
    await strict.ended;
    const open = startGrasp(lab, 'a', 'offer', 'EX2', '["NZD",400]', '--once', '--dry-run', ...ON);
    await open.event('ready');
    const served = await runGrasp(
      lab,
      'b',
      'negotiate',
      'EX2',
      '["NZD",500]',
      '--min',
      '100',
      '--dry-run',
      ...ON,
    );
    expect(served.code).toBe(0);
    await open.ended;
    for (const line of [...served.lines, ...open.lines.slice(1)])
      expect(line).toMatchObject({ dryRun: true });
  });

  test('values of every kind cross the link unchanged: big integers, floats, bytes, maps, tags', async () => {
    const value =
      '{"n":123456789012345678901234567890,"f":[1.5,-0.0],"b":{"$bytes":"00ff"},"m":{"$map":[[1,null]]}}';
    const offer = startGrasp(lab, 'a', 'offer', 'EX3.values', value, '--once', ...ON);
    await offer.event('ready');
    const asked = await runGrasp(lab, 'b', 'negotiate', 'EX3.values', 'null', '--accept-any', ...ON);
    expect(asked.code).toBe(0);
    expect(asked.stdout).toContain(`"direction":"received","loopCount":5,"value":${value}`);
    expect(asked.stdout).toContain(`"outcome":"accepted","value":${value}`);
    await offer.ended;
  });

  test('a value in tag 24 is understood and answered in tag 24', async () => {
    const offer = startGrasp(lab, 'a', 'offer', 'EX3.tag24', '["NZD",400]', '--once', ...ON);
    await offer.event('ready');
    const argv = ['negotiate', 'EX3.tag24', '{"$cbor":["NZD",500]}', '--min', '10', ...ON];
    const asked = await runGrasp(lab, 'b', ...argv);
    expect(asked.code).toBe(0);
    expect(asked.lines[1]).toEqual({
      event: 'step',
      direction: 'received',
      loopCount: 5,
      value: ['NZD', 200],
      tag24: true,
    });
    await offer.ended;
    expect(agreement(only(offer, 'end'))).toEqual(agreement(only(asked, 'end')));
  });

  describe('with nothing but lo', () => {
    test('two ASAs of one engine discover and negotiate with each other', async () => {
      const agent = startAgent(lab, 'alone', 'two-asas');
      expect((await agent.ended).code).toBe(0);
      expect(agent.lines).toEqual([
        { event: 'found', count: 1 },
        { event: 'initiator', state: 'accepted', value: ['NZD', 250] },
        { event: 'responder', state: 'accepted', value: ['NZD', 250] },
      ]);
    });
  });

  test('SIGINT while waiting for an answer ends negotiate at once with 1', async () => {
    const offer = startGrasp(lab, 'a', 'offer', 'EX3.stop', '1', ...ON);
    const port = Number((await offer.event('ready'))['port']);
    offer.kill('SIGSTOP');
    const peer = `[${lab.addresses('a', IF).ula}]:${port}`;
    const asking = startGrasp(lab, 'b', 'negotiate', 'EX3.stop', '1', '--peer', peer, ...ON);
    await bytesArrived(lab, 'a', port);
    asking.kill('SIGINT');
    expect(await asking.ended).toEqual({ code: 1, signal: null });
    expect(only(asking, 'end')).toMatchObject({ outcome: 'failed', reason: 'interrupted by the user' });
    offer.kill('SIGCONT');
    offer.kill('SIGINT');
    expect((await offer.ended).code).toBe(0);
  });
});

/** Resolves when somebody has sent to this port of the node what its process has not read yet. */
async function bytesArrived(lab: Lab, node: string, port: number): Promise<void> {
  for (;;) {
    const { stdout } = await lab.run(node, ['ss', '-Htn', 'state', 'established', `sport = :${port}`]);
    if (stdout.split('\n').some((line) => Number(line.trim().split(/\s+/)[0]) > 0)) return;
  }
}
