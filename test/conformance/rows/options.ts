/** RFC 8990 §2.9: options. */
import { row } from '../rows.js';
import { decode, show } from '../cbor.js';
import type { LocatorArgument } from '../adapter.js';
import type { T } from '../context.js';
import type { Peer } from '../peer.js';
import {
  addressBytes,
  isLinkLocal,
  locator,
  M_DISCOVERY,
  M_END,
  M_FLOOD,
  M_RESPONSE,
  message,
  NEG,
  O_ACCEPT,
  O_DECLINE,
  O_DIVERT,
  O_FQDN_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
  sameAddress,
  TCP,
} from '../wire.js';
import { everyMessage } from './messages.js';
import { eNegotiates, having, pNegotiates, taken } from './parts.js';

/** E sends messages of every type, with every option: all it has sent. */
async function sent(t: T): Promise<{ message: unknown[]; bytes: Buffer }[]> {
  const { asa, session, conn } = await pNegotiates(t, { name: t.name() });
  await t.engine.endNegotiate(asa, session, true);
  await conn.closes();
  await t.learn('EX8', [t.q], { locators: FOUR });
  const divert = await t.response(await t.disc('EX8'));
  const tags: LocatorArgument[] = [
    { kind: 'ipv6', address: t.lab.addresses('i1').ula, protocol: TCP, port: 4711 },
    { kind: 'ipv4', address: '192.0.2.1', protocol: TCP, port: 4712 },
    { kind: 'fqdn', address: 'e.conformance.example', protocol: TCP, port: 4713 },
    { kind: 'uri', address: 'https://e.conformance.example/', protocol: null, port: null },
  ];
  const floods = tags.map((tag) => ({
    objective: { name: t.name(), synchronize: true, value: 1 },
    locator: tag,
  }));
  for (const { objective } of floods) await having(t, objective.name, 'synchronize');
  await t.engine.flood(await t.asa(), 60_000, floods);
  await t.heard(t.p, M_FLOOD, { name: floods[0]!.objective.name });
  const all = [...conn.messages, divert, ...(await everyMessage(t))];
  return all.map(({ message: m, bytes }) => {
    if (!m) t.fail(`E sends ${bytes.toString('hex')}, which is no message`);
    return { message: m, bytes };
  });
}

const FOUR = [
  locator('2001:db8::1', 4711),
  locator('192.0.2.1', 4712),
  [O_FQDN_LOCATOR, 'q.conformance.example', TCP, 4713],
  [O_URI_LOCATOR, 'https://q.conformance.example/', null, null],
];

/** What stands where a message has options: §2.8.5 (before the objective), §2.8.9, §2.8.11; and what is in a Divert. */
function options(m: readonly unknown[]): unknown[] {
  const isObjective = (item: unknown): boolean => Array.isArray(item) && typeof item[0] === 'string';
  const noLocator = (item: unknown): boolean => Array.isArray(item) && item.length === 0;
  const found =
    m[0] === M_RESPONSE
      ? m.slice(4).filter((item, i, all) => !(i > 0 && i === all.length - 1 && isObjective(item)))
      : m[0] === M_END
        ? m.slice(2)
        : m[0] === M_FLOOD
          ? m
              .slice(4)
              .map((pair) => (pair as unknown[])[1])
              .filter((item) => !noLocator(item))
          : [];
  return found.flatMap((each) =>
    Array.isArray(each) && each[0] === O_DIVERT ? [each, ...(each as unknown[]).slice(1)] : [each],
  );
}

/** Types of the messages with such an option anywhere but in a value; no message but one of `within` may be among them. */
async function onlyWithin(t: T, type: number, within: number): Promise<void> {
  const holds = (item: unknown): boolean =>
    Array.isArray(item) && typeof item[0] !== 'string' && (item[0] === type || item.some(holds));
  const holders = (await sent(t)).filter(({ message: m }) => m.slice(1).some(holds));
  t.ok(holders.length > 0, `no message of E has option ${type}`);
  for (const { message: m } of holders) {
    t.equal(m[0], within, `type of a message with option ${type}, ${show(m)}`);
    const tops = m.filter((item) => Array.isArray(item) && item[0] === type);
    t.equal(tops.length, 1, `options ${type} of ${show(m)} as a whole`);
  }
}

row(['G-2.9.1-01', 'G-2.9.1-02'], async (t) => {
  const seen = new Set<unknown>();
  for (const { message: m } of await sent(t)) {
    for (const option of options(m)) {
      t.ok(
        Array.isArray(option) && option.length > 0,
        `${show(option)} in ${show(m)} is no array with a type`,
      );
      const [type] = option as unknown[];
      t.ok(
        typeof type === 'number' && Number.isInteger(type) && type >= O_DIVERT && type <= O_URI_LOCATOR,
        `${show(option)} in ${show(m)} starts with none of 100..106`,
      );
      seen.add(type);
    }
  }
  for (let type = O_DIVERT; type <= O_URI_LOCATOR; type++) t.ok(seen.has(type), `E sends no option ${type}`);
});

// Decoded by the suite; the whole of a datagram or of what an item on a stream takes is one item.
row('G-2.9.1-03', async (t) => {
  for (const { message: m, bytes } of await sent(t)) t.same(decode(bytes), m, 'what the bytes are');
});

row('G-2.9.2-01', (t) => onlyWithin(t, O_DIVERT, M_RESPONSE));

row('G-2.9.2-02', async (t) => {
  const divert = message.divert(locator(t.q.global, 4711));
  const { call, conn, sid } = await eNegotiates(t);
  await conn.send([M_END, sid, [O_ACCEPT], divert]);
  t.answer(await taken(t, call), 'accepted');
  const declined = await eNegotiates(t);
  await declined.conn.send([M_END, declined.sid, [O_DECLINE, 'no'], divert]);
  t.equal(t.answer(await taken(t, declined.call), 'declined').reason, 'no', 'reason');
  // What it points to is no place of the objective either.
  const cached = await t.engine.discover(declined.asa, { name: 'EX1', negotiate: true }, { timeoutMs: 0 });
  t.equal(cached.length, 0, 'locators in the cache');
});

row('G-2.9.2-03', async (t) => {
  const elsewhere = 'fd00:0:0:77::1';
  const found = await t.learn('EX1', [t.p], { locators: [message.divert(locator(elsewhere, 4711))] });
  t.equal(found.length, 1, 'locators found by a Divert alone');
  t.ok(sameAddress(found[0]!.address, elsewhere), `${found[0]!.address} is not where the Divert points to`);
  t.equal(found[0]!.diverted, true, 'diverted');
  const [direct] = await t.learn('EX2', [t.p], { port: 4712 });
  t.equal(direct?.port, 4712, 'port of the locator found directly');
  t.ok(!direct?.diverted, 'a direct answer is marked as diverted');
});

row('G-2.9.3-01', (t) => onlyWithin(t, O_ACCEPT, M_END));

/** E looks for EX1; P's answer has this besides its locator: E negotiates there. */
async function ignoredInResponse(t: T, stray: unknown): Promise<void> {
  const asa = await having(t, 'EX1', 'negotiate');
  for (const place of ['after', 'before'] as const) {
    const listener = await t.p.listen();
    const own = locator(t.p.global, listener.port);
    await t.engine.discover(asa, { name: 'EX1', negotiate: true }, { timeoutMs: 0, flush: true });
    const locators = place === 'after' ? [own, stray] : [stray, own];
    const found = await t.learn('EX1', [t.p], { locators });
    t.same(
      found.map(({ port }) => port),
      [listener.port],
      `ports of the locators found, the stray option ${place} the locator`,
    );
    const call = t.engine.requestNegotiate(asa, { name: 'EX1', negotiate: true, value: 1 });
    call.catch(() => undefined); // looked at below
    const conn = await listener.accept(2000);
    const { message: request } = await conn.next();
    const sid = request[1] as number;
    // An offer: the stray option has not ended the session.
    await conn.send(message.negotiate(sid, ['EX1', NEG, 5, 2]));
    t.equal(t.value(t.answer(await taken(t, call), 'offered').objective), 2, 'the value offered');
  }
}

row('G-2.9.3-02', (t) => ignoredInResponse(t, [O_ACCEPT]));

row('G-2.9.4-01', (t) => onlyWithin(t, O_DECLINE, M_END));

row('G-2.9.4-02', (t) => ignoredInResponse(t, [O_DECLINE, 'x']));

/** The addresses of the IPv6 locators of a response, also in a Divert. */
function addresses(response: readonly unknown[]): Buffer[] {
  return options(response)
    .filter((each) => Array.isArray(each) && each[0] === O_IPv6_LOCATOR)
    .map((each) => (each as [number, Buffer])[1]);
}

row('G-2.9.5.1-01', async (t) => {
  await t.listening({ name: 'EX1' });
  await t.synchronizing({ name: 'EX2', value: 7 });
  for (const [name, peer, initiator] of [
    ['EX1', t.p, t.p.initiator],
    ['EX2', t.p, addressBytes(t.p.linkLocal)],
    ['EX1', t.q, addressBytes(t.q.linkLocal)],
    ['EX2', t.q, t.q.initiator],
  ] as const) {
    const { message: response } = await t.response(await t.disc(name, { from: peer, initiator }));
    const found = addresses(response);
    t.ok(found.length > 0, `no IPv6 locator in ${show(response)}`);
    for (const address of found) t.ok(!isLinkLocal(address), `a link-local locator in ${show(response)}`);
  }
});

/** An objective of link-local scope: its response to each peer. */
async function linkLocalOffers(
  t: T,
): Promise<{ peer: Peer; link: string; found: Buffer[]; source: string }[]> {
  await t.listening({ name: 'EX1' }, { local: true });
  const all = [];
  for (const peer of [t.p, t.q, t.p2]) {
    const { message: response, conn } = await t.response(await t.disc('EX1', { from: peer }));
    t.ok(response.slice(4).length > 0, 'options of the response');
    all.push({ peer, link: peer.interface, found: addresses(response), source: conn.remoteAddress });
  }
  return all;
}

row('G-2.9.5.1-02', async (t) => {
  for (const { peer, found } of await linkLocalOffers(t)) {
    t.ok(found.length > 0, `${peer.name} gets no IPv6 locator`);
    for (const address of found) t.ok(isLinkLocal(address), `${address.toString('hex')} is not link-local`);
  }
});

row('G-2.9.5.1-03', async (t) => {
  const [one, two] = [t.lab.addresses('i1').linkLocal, t.lab.addresses('i2').linkLocal];
  t.ok(!sameAddress(one, two), 'both interfaces have the same link-local address');
  for (const { peer, link, found, source } of await linkLocalOffers(t)) {
    const own = t.lab.addresses(link);
    for (const address of found.filter(isLinkLocal)) {
      t.ok(
        sameAddress(address, own.linkLocal),
        `${peer.name} gets ${address.toString('hex')} by ${link}, whose address is ${own.linkLocal}`,
      );
    }
    t.ok(
      [own.linkLocal, own.ula].some((each) => sameAddress(each, source)),
      `the response comes from ${source}`,
    );
  }
});

/** Neither from its cache nor as relay E diverts to these; to a good one beside them it does. */
async function notDiverted(t: T, ...bad: readonly unknown[][]): Promise<void> {
  const good = locator(t.q.global, 4711);
  for (const each of bad) {
    const alone = t.name();
    const [found] = await t.learn(alone, [t.q], { locators: [each] });
    if (found) t.ok(!found.diverted, 'the answer of Q is no Divert');
    // That it is relayed is allowed.
    const { pair } = await t.disc(alone);
    const beside = t.name();
    await t.learn(beside, [t.q], { locators: [each, good] });
    const { message: response } = await t.response(await t.disc(beside));
    t.same(
      response.slice(4),
      [[O_DIVERT, good]],
      `the options of the response, where ${show(each)} is known too`,
    );
    // As relay, of the answer to its copy.
    const relayed = await t.disc(t.name());
    const copy = await t.heard(t.q, M_DISCOVERY, { sid: relayed.sid });
    await t.respond(t.q, copy, { locators: [each] });
    await t.silence(pair, relayed.pair);
  }
}

row('G-2.9.5.1-04', (t) => notDiverted(t, locator(t.q.linkLocal, 4712), locator('fe80::1', 4712)));

const mDNS = (name: string): unknown[] => [O_FQDN_LOCATOR, name, TCP, 4712];
row('G-2.9.5.3-01', (t) => notDiverted(t, ...['x.local', 'X.Local', 'a.b.local.'].map(mDNS)));

const uri = (text: string): unknown[] => [O_URI_LOCATOR, text, null, null];
row('G-2.9.5.4-01', (t) =>
  notDiverted(t, ...['http://x.local/', 'https://a.X.LOCAL:8443/b?c', 'http://[fe80::1]/'].map(uri)),
);
