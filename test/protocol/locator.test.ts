import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  formatAddress,
  formatLocator,
  isGlobalOrUla,
  isLinkLocal,
  isLocalName,
  isLoopback,
  locatorKey,
  ownLocator,
  parseAddress,
  parseLocator,
  usableInDivert,
  type WireLocator,
} from '../../src/protocol/index.js';
import { hex, toHex } from './helpers.js';

describe('addresses', () => {
  test.each([
    ['2001:db8::1', '20010db8000000000000000000000001', '2001:db8::1'],
    ['2001:DB8:0:0:1:0:0:1', '20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['::', '00'.repeat(16), '::'],
    ['192.0.2.10', 'c000020a', '192.0.2.10'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201', '::ffff:192.0.2.1'],
    ['1:0:2:3:4:5:6:7', '00010000000200030004000500060007', '1:0:2:3:4:5:6:7'],
  ])('%s', (text, bytes, canonical) => {
    const parsed = parseAddress(text);
    expect(toHex(parsed!.bytes)).toBe(bytes);
    expect(parsed).not.toHaveProperty('zone');
    expect(formatAddress(hex(bytes))).toBe(canonical);
  });

  test('a zone is kept apart', () => {
    expect(parseAddress('fe80::1%eth0')).toEqual({
      bytes: hex('fe800000000000000000000000000001'),
      family: 6,
      zone: 'eth0',
    });
    expect(parseAddress('10.0.0.1%veth-a.7')).toMatchObject({ family: 4, zone: 'veth-a.7' });
  });

  test.each([
    '',
    'x',
    '1.2.3',
    '010.0.0.1',
    '0x7f.1',
    '127.1',
    '1.2.3.256',
    'fe80::1%',
    'fe80:::1',
    '1::2::3',
    '%eth0',
    'fe80::1/64',
  ])('no address: %s', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    for (const judge of [isLinkLocal, isLoopback, isGlobalOrUla]) expect(judge(text)).toBe(false);
  });

  test('any bytes come back from their text', () => {
    const bytes = fc.oneof(...[4, 16].map((n) => fc.uint8Array({ minLength: n, maxLength: n })));
    fc.assert(fc.property(bytes, (b) => expect(parseAddress(formatAddress(b))!.bytes).toEqual(b)));
  });

  test('only 4 or 16 bytes are an address', () => {
    expect(() => formatAddress(new Uint8Array(5))).toThrow(RangeError);
  });

  test.each([
    // address, link-local, loopback, usable off-link
    ['fe80::1', true, false, false],
    ['febf::1', true, false, false],
    ['fec0::1', false, false, true],
    ['169.254.3.4', true, false, false],
    ['169.253.3.4', false, false, true],
    ['::ffff:169.254.3.4', true, false, false],
    ['::1', false, true, false],
    ['::2', false, false, true],
    ['127.0.0.53', false, true, false],
    ['::ffff:127.0.0.1', false, true, false],
    ['::', false, false, false],
    ['0.0.0.0', false, false, false],
    ['ff02::13', false, false, false],
    ['224.0.0.119', false, false, false],
    ['255.255.255.255', false, false, false],
    ['2001:db8::1', false, false, true],
    ['fd89:b714::1', false, false, true],
    ['10.0.0.1', false, false, true],
    ['::ffff:10.0.0.1', false, false, true],
    ['::fffe:10.0.0.1', false, false, true],
    ['1::ffff:127.0.0.1', false, false, true],
  ])('§2.9.5.1 scope of %s', (text, linkLocal, loopback, usable) => {
    const { bytes } = parseAddress(text)!;
    for (const form of [text, bytes]) {
      expect([isLinkLocal(form), isLoopback(form), isGlobalOrUla(form)]).toEqual([
        linkLocal,
        loopback,
        usable,
      ]);
    }
  });
});

describe('locators as text', () => {
  test.each([
    ['10.0.0.1:4000', 104, '0a000001', undefined],
    ['10.0.0.1%eth0:4000', 104, '0a000001', 'eth0'],
    ['[2001:db8::1]:4000', 103, '20010db8000000000000000000000001', undefined],
    ['[fe80::1%eth0]:4000', 103, 'fe800000000000000000000000000001', 'eth0'],
    ['fe80::1%eth0:4000', 103, 'fe800000000000000000000000000001', 'eth0'],
  ])('%s', (text, type, address, name) => {
    expect(parseLocator(text)).toEqual({
      locator: { type, address: hex(address), protocol: 6, port: 4000 },
      interface: name,
    });
    const parsed = parseLocator(text)!;
    expect(parseLocator(formatLocator(parsed.locator, parsed.interface))).toEqual(parsed);
  });

  test('names, and another protocol', () => {
    expect(parseLocator('host.example.com:80', 17)).toEqual({
      locator: { type: 105, name: 'host.example.com', protocol: 17, port: 80 },
      interface: undefined,
    });
    expect(parseLocator('höst.example.:0')?.locator).toMatchObject({ name: 'höst.example.', port: 0 });
    expect(parseLocator('a:65535')?.locator).toMatchObject({ name: 'a', port: 65535 });
  });

  test.each([
    '',
    ':',
    ':80',
    'host',
    'host:',
    'host:65536',
    'host:-1',
    'host:8x',
    'host:000080',
    '2001:db8::1:80',
    'fe80::1:80',
    '[10.0.0.1]:80',
    '[host]:80',
    '[fe80::1:80',
    '1.2.3:80',
    '300.1.1.1:80',
    'a..b:80',
    'a b:80',
    '-a:80',
    'a/b:80',
    `${'a'.repeat(254)}:80`,
  ])('no locator: %s', (text) => expect(parseLocator(text)).toBeUndefined());

  test('formatLocator of each kind', () => {
    const address = hex('20010db8000000000000000000000001');
    expect(formatLocator({ type: 103, address, protocol: 6, port: null })).toBe('[2001:db8::1]');
    expect(formatLocator({ type: 104, address: hex('0a000001'), protocol: 6, port: 1 }, 'eth0')).toBe(
      '10.0.0.1%eth0:1',
    );
    expect(formatLocator({ type: 105, name: 'h.example', protocol: 6, port: 8080 })).toBe('h.example:8080');
    expect(formatLocator({ type: 106, uri: 'https://h/x', protocol: null, port: null })).toBe('https://h/x');
  });
});

describe('keys', () => {
  const base: WireLocator = { type: 104, address: hex('0a000001'), protocol: 6, port: 1 };
  test('equal locators have equal keys, all others different ones', () => {
    const others: WireLocator[] = [
      { ...base, port: 2 },
      { ...base, port: null },
      { ...base, protocol: 17 },
      { ...base, address: hex('0a000002') },
      { type: 103, address: new Uint8Array(16), protocol: 6, port: 1 },
      { type: 105, name: 'x', protocol: 6, port: 1 },
      { type: 105, name: 'X', protocol: 6, port: 1 },
      { type: 106, uri: 'x', protocol: 6, port: 1 },
      { type: 106, uri: 'x', protocol: null, port: 61 },
      { type: 106, uri: 'x', protocol: 6, port: null },
    ];
    expect(locatorKey({ ...base, address: hex('0a000001') })).toBe(locatorKey(base));
    expect(new Set([base, ...others].map(locatorKey)).size).toBe(others.length + 1);
  });

  test('ownLocator shares no memory', () => {
    const address = hex('0a000001');
    const own = ownLocator({ ...base, address });
    address.fill(0);
    expect(own).toEqual(base);
    const named: WireLocator = { type: 105, name: 'x', protocol: 6, port: 1 };
    expect(ownLocator(named)).toBe(named);
  });
});

describe('what may stand in a divert', () => {
  test.each(['x.local', 'X.LOCAL.', 'local', 'localhost', 'a.localhost'])('§2.9.5.3 %s is local', (name) =>
    expect(isLocalName(name)).toBe(true),
  );
  test.each(['x.example', 'local.example', 'xlocal', ''])('%j is not', (name) =>
    expect(isLocalName(name)).toBe(false),
  );

  const ip = (text: string): WireLocator => {
    const { bytes, family } = parseAddress(text)!;
    return { type: family === 6 ? 103 : 104, address: bytes, protocol: 6, port: 1 };
  };
  const uri = (text: string): WireLocator => ({ type: 106, uri: text, protocol: null, port: null });
  const fqdn = (name: string): WireLocator => ({ type: 105, name, protocol: 6, port: 1 });

  test.each([
    ['a global address', ip('2001:db8::1'), true],
    ['a private IPv4 address', ip('10.0.0.1'), true],
    ['§2.9.5.1 a link-local address', ip('fe80::1'), false],
    ['a loopback address', ip('127.0.0.1'), false],
    ['a name', fqdn('h.example'), true],
    ['§2.9.5.3 an mDNS name', fqdn('h.local'), false],
    ['an address written as a name', fqdn('fe80::1'), false],
    ['a global address written as a name', fqdn('192.0.2.1'), true],
    ['a URI', uri('https://h.example:8443/x.local'), true],
    ['a URI with a user', uri('https://u:p@h.example/'), true],
    ['§2.9.5.4 a local URI', uri('http://x.local/'), false],
    ['a local URI with port, user and no path', uri('http://u@x.local:80'), false],
    ['a local URI with a query', uri('http://localhost?x'), false],
    ['a URI with a link-local address', uri('coap://[fe80::1]:5683/x'), false],
    ['a URI with a zone', uri('coap://[fe80::1%25eth0]/x'), false],
    ['a URI with a global address', uri('coap://[2001:db8::1]/x'), true],
    ['a URI with an open bracket', uri('coap://[2001:db8::1'), true],
    ['a URI without a host', uri('urn:example:a'), true],
    ['no URI at all', uri(''), true],
  ] as const)('%s', (_name, locator, usable) => expect(usableInDivert(locator)).toBe(usable));
});
