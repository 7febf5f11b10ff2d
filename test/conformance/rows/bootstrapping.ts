/** RFC 8995 §4.1, §4.3: discovery of join proxies and registrars. */
import { row, type RowOptions } from '../rows.js';
import { addressBytes, locator, M_DISCOVERY, M_FLOOD, message, sameAddress, SYNCH, TCP } from '../wire.js';
import { FLOODED, listed, onLink } from './announced.js';

const PROXY = { name: 'AN_Proxy', synchronize: true } as const;
const REGISTRAR = { name: 'AN_join_registrar', synchronize: true } as const;
const DULL: RowOptions = { needs: ['dull'], start: { interfaces: ['i1'], dull: ['AN_Proxy'] } };
const registrar = { kind: 'AN_join_registrar', protocols: [{ name: 'EST-TLS', port: 8443 }] };

row('B-4.1-01', DULL, async (t) => {
  const asa = await t.asa();
  const place = locator(t.p.linkLocal, 4443);
  const flood = { flags: FLOODED, loopCount: 1, value: '', ttl: 180_000, initiator: onLink(t.p) };
  await t.flood('AN_Proxy', { ...flood, locator: place });
  const [found] = await t.eventually(
    () => t.engine.getFlood(asa, PROXY),
    (floods) => floods.length === 1,
    1000,
    'the flood of a proxy',
  );
  const { address, protocol, port } = t.defined(found!.locator, 'the locator of the proxy');
  t.ok(sameAddress(address, t.p.linkLocal), `${address} is not the address of P`);
  t.same([protocol, port], [TCP, 4443], 'protocol and port');
  t.equal(t.value(found!.objective), '', 'value');
  if (!t.can('announce')) return;
  const [proxy] = await listed(t, 'AN_Proxy', 1);
  t.equal(proxy!.port, 4443, 'port of the proxy known');
});

row('B-4.1-02', { ...DULL, needs: ['dull', 'announce'] }, async (t) => {
  await t.engine.call('announce', { kind: 'AN_Proxy', port: 4443 });
  const { message: flood } = await t.heard(t.p, M_FLOOD, { name: 'AN_Proxy' });
  const own = addressBytes(t.lab.addresses('i1').linkLocal);
  t.equal(flood[3], 180_000, 'ttl');
  t.equal(flood.length, 5, 'elements of the flood');
  const [objective, place] = flood[4] as [unknown[], unknown[]];
  t.same(objective.slice(0, 3), ['AN_Proxy', FLOODED, 1], 'objective');
  t.same(place, [103, own, TCP, 4443], 'locator');
});

row('B-4.3-01', async (t) => {
  const asa = await t.asa();
  const place = locator(t.p.global, 8443);
  // As in RFC 8995: further locators with UDP, and with a protocol and a port that RFC 8990 does not know.
  const pair = await t.p.pair({ tcp: false });
  const objective = (value: string): unknown[] => ['AN_join_registrar', FLOODED, 255, value];
  const flood = message.flood(t.sid(), t.p.initiator, 180_000, [objective('EST-TLS'), place]);
  await pair.multicast(flood);
  const [found] = await t.eventually(
    () => t.engine.getFlood(asa, REGISTRAR),
    (floods) => floods.length === 1,
    1000,
    'the flood of a registrar',
  );
  t.equal(t.value(found!.objective), 'EST-TLS', 'value');
  t.equal(found!.locator?.port, 8443, 'port');
  t.ok(sameAddress(found!.locator!.address, t.p.global), 'the locator is that of P');
  t.equal(t.value(await t.engine.synchronize(asa, REGISTRAR)), 'EST-TLS', 'value synchronized');
  // It is relayed to those behind this node.
  await t.heard(t.q, M_FLOOD, { name: 'AN_join_registrar' });
  // One that does not flood is found by discovery.
  await t.engine.expireFlood(asa, REGISTRAR, {
    kind: 'ipv6',
    address: t.p.global,
    protocol: TCP,
    port: 8443,
  });
  const listener = await t.p.listen();
  const call = t.engine.synchronize(asa, REGISTRAR);
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'AN_join_registrar' });
  await t.respond(t.p, asked, { port: listener.port });
  const conn = await listener.accept(2000);
  const { message: request } = await conn.next();
  await conn.send(message.synch(request[1] as number, ['AN_join_registrar', SYNCH, 6, 'EST-TLS']));
  t.equal(t.value(await call), 'EST-TLS', 'value synchronized by request');
});

row('B-4.3-02', { needs: ['announce'] }, async (t) => {
  await t.engine.call('announce', registrar);
  for (const [peer, link] of [
    [t.p, 'i1'],
    [t.q, 'i2'],
  ] as const) {
    const { message: flood } = await t.heard(peer, M_FLOOD, { name: 'AN_join_registrar' });
    t.equal(flood[3], 180_000, `ttl on ${link}`);
    const [objective, [type, address, protocol, port]] = flood[4] as [unknown[], unknown[]];
    t.same(objective, ['AN_join_registrar', FLOODED, 255, 'EST-TLS'], `objective on ${link}`);
    t.same([type, protocol, port], [103, TCP, 8443], `locator on ${link}`);
    const own = ['i1', 'i2'].map((each) => t.lab.addresses(each).ula);
    t.ok(
      own.some((each) => sameAddress(each, address as Buffer)),
      `the locator on ${link} is no global address of E`,
    );
  }
});

row('B-4.3-03', { needs: ['announce'], slowMs: 66_000 }, async (t) => {
  await t.engine.call('announce', registrar);
  const first = await t.heard(t.p, M_FLOOD, { name: 'AN_join_registrar' });
  const second = await t.until(() => t.p.heard((m) => m[0] === M_FLOOD)[1], 66_000, 'a second flood');
  t.ok(second.message![1] !== first.message[1], 'both floods have one session ID');
  t.same(second.message!.slice(4), first.message.slice(4), 'the second flood');
  t.near(second.at - first.at, 60_000, 'time from flood to flood');
});

row(
  'B-4.3-06',
  { needs: ['announce', 'dull', 'several-engines'], start: { interfaces: ['i2'] } },
  async (t) => {
    const dull = t.otherEngine('dull');
    await dull.start({ interfaces: ['i1'], dull: ['AN_Proxy'] });
    await t.engine.call('announce', registrar);
    await t.heard(t.q, M_FLOOD, { name: 'AN_join_registrar' });
    // What the proxy says on that link has been heard: what the registrar says was not said.
    await dull.call('announce', { kind: 'AN_Proxy', port: 4443 });
    await t.heard(t.p, M_FLOOD, { name: 'AN_Proxy' });
    await t.never(
      () =>
        t.count(t.p, M_FLOOD, { name: 'AN_join_registrar' }) > 0 ? 'P hears AN_join_registrar' : undefined,
      t.silenceMs,
      'not among DULL neighbours',
    );
    // A registrar that is announced there is not believed.
    const flood = { flags: FLOODED, loopCount: 1, value: 'EST-TLS', initiator: onLink(t.p) };
    await t.flood('AN_join_registrar', { ...flood, locator: locator(t.p.linkLocal, 8443) });
    await t.flood('AN_Proxy', { ...flood, value: '', locator: locator(t.p.linkLocal, 4444) });
    const asa = await dull.registerAsa('pledge');
    await t.eventually(
      () => dull.getFlood(asa, PROXY),
      (floods) => floods.some(({ locator: at }) => at?.port === 4444),
      1000,
      'the flood of a proxy',
    );
    for (const engine of [t.engine, dull]) {
      const reader = await engine.registerAsa('reader');
      const { value = [] } = await t.timed(engine.getFlood(reader, REGISTRAR));
      t.ok(!value.some(({ locator: at }) => at?.address.startsWith('fe80')), `${engine.label} takes it`);
    }
  },
);
