/**
 * Deliberately broken engines: this engine with one rule off each, made by changing a line of its compiled code as it
 * is loaded. The row named must fail on it, and one about something else must still pass (`control`).
 */

export interface Change {
  /** Below dist/src. */
  readonly file: string;
  /** Occurs exactly once there. */
  readonly find: string;
  readonly replace: string;
}

export interface BrokenEngine {
  /** What it does wrong. */
  readonly name: string;
  /** The row that says so. */
  readonly row: string;
  readonly changes: readonly Change[];
  /** A row that passes all the same; default {@link CONTROL}. */
  readonly control?: string;
}

/** M_REQ_NEG and M_END accept: most breakages leave that alone. */
export const CONTROL = 'A-2.3.5-05';

export const inFile =
  (file: string) =>
  (name: string, row: string, find: string, replace: string, control?: string): BrokenEngine => ({
    name,
    row,
    changes: [{ file, find, replace }],
    ...(control === undefined ? {} : { control }),
  });

const handler = inFile('actors/multicast-handler.js');
const responder = inFile('actors/responder.js');
const responses = inFile('actors/responses.js');
const discoveries = inFile('actors/discoveries.js');
const relays = inFile('actors/discovery-relays.js');
const cache = inFile('protocol/discovery-cache.js');
const floodRelay = inFile('actors/flood-relay.js');
const floods = inFile('actors/floods.js');
const floodCache = inFile('protocol/flood-cache.js');
const floodCopy = inFile('protocol/flood-copy.js');
const negotiation = inFile('actors/negotiation-rules.js');
const session = inFile('actors/negotiation-session.js');
const constants = inFile('protocol/constants.js');
const locators = inFile('protocol/locator.js');
const own = inFile('actors/own-locators.js');

export const brokenEngines: readonly BrokenEngine[] = [
  // ---- discovery
  handler(
    'does not answer a discovery of what it supports',
    'G-2.5.4.3-02',
    `context.port.respond(event.message, event.arrival);`,
    `void 0;`,
  ),
  handler(
    'answers no discovery with a divert',
    'G-2.5.4.3-03',
    `actions: ['divert', { type: 'count', params: { reason: 'multicast.discovery.diverted' } }]`,
    `actions: []`,
  ),
  cache(
    'diverts on the interface where it has learnt',
    'G-2.5.4.3-04',
    'entry.interface !== incomingInterface && usableInDivert(entry.locator)',
    'usableInDivert(entry.locator)',
  ),
  discoveries(
    'a discovery ends at once',
    'G-2.5.4.3-06',
    'DISCOVERY_TIMEOUT_PER_HOP_MS * call.objective.loopCount',
    '10',
  ),
  discoveries(
    'every discovery has the same session ID',
    'G-2.5.4.3-07',
    'sessionId: session.sessionId,\n                initiator,',
    'sessionId: 4711,\n                initiator,',
  ),
  discoveries(
    'does not use its cache',
    'G-2.5.4.3-10',
    'call.minimumTtlMs === undefined && cached.length > 0',
    'false',
  ),
  cache(
    'gives every locator the same lifetime',
    'G-2.5.4.3-14',
    'return now + (ttlMs === 0 ? RESPONSE_TTL_ZERO_MS : ttlMs);',
    'return now + 60000;',
  ),
  cache(
    'uses what has expired',
    'G-2.5.4.3-15',
    'if (entry.expiresAt > now)\n                entries.push(entry);',
    'if (true)\n                entries.push(entry);',
  ),
  cache(
    'keeps one responder only',
    'G-2.5.4.3-18',
    'return isAddress && isLinkLocal(locator.address) ? `${name}|${key}` : key;',
    `return isAddress ? 'one' : key;`,
  ),
  responder(
    'answers with another session ID',
    'G-2.5.4.1-01',
    'return { type: M_RESPONSE, sessionId, initiator, ttl, locators, divert, objective: undefined };',
    'return { type: M_RESPONSE, sessionId: sessionId ^ 1, initiator, ttl, locators, divert, objective: undefined };',
  ),
  responder(
    'answers with an initiator of its own',
    'G-2.8.5-02',
    'return { type: M_RESPONSE, sessionId, initiator, ttl, locators, divert, objective: undefined };',
    'return { type: M_RESPONSE, sessionId, initiator: initiator.map((byte) => byte ^ 1), ttl, locators, divert, objective: undefined };',
  ),
  responder(
    'forgets the ttl of the registration',
    'A-2.3.3-10',
    'responseTo(message, announcement.ttlMs, locators, undefined)',
    'responseTo(message, 60000, locators, undefined)',
  ),
  responses(
    'leaves the connection of a response open',
    'G-2.8.5-07',
    'this.#linger.finish(stream);',
    'stream.setHandlers({ onData: () => undefined, onEnd: () => undefined, onClose: () => undefined });',
  ),
  own(
    'answers with a link-local address',
    'G-2.9.5.1-01',
    'const address = local\n',
    'const address = true\n',
  ),
  own(
    'answers with a global address for a local objective',
    'A-2.3.3-12',
    'const address = local\n',
    'const address = false\n',
  ),
  locators(
    'diverts to link-local addresses',
    'G-2.9.5.1-04',
    'return isGlobalOrUla(locator.address);',
    'return true;',
  ),
  locators(
    'diverts to names of the link',
    'G-2.9.5.3-01',
    'return isUsableHost(locator.name);',
    'return true;',
  ),
  locators(
    'diverts to URIs of the link',
    'G-2.9.5.4-01',
    'return host === undefined || isUsableHost(host);',
    'return true;',
  ),

  // ---- discovery relay
  handler(
    'does not relay a discovery',
    'G-2.5.4.4-03',
    `actions: ['relay', { type: 'count', params: { reason: 'multicast.discovery.relayed' } }]`,
    `actions: []`,
  ),
  relays(
    'relays to the interface it came by, too',
    'G-2.5.4.4-03',
    'if (pair.interface === relay.arrival.interface)\n                continue;',
    '',
  ),
  {
    name: 'does not decrement the loop count of what it relays',
    row: 'G-2.5.4.4-09',
    changes: [{ file: 'protocol/loop-count.js', find: 'copy[end - 1] = loopCount;', replace: '' }],
  },
  {
    name: 'relays a discovery whose loop count is spent',
    row: 'G-2.5.4.4-10',
    changes: [
      { file: 'protocol/loop-count.js', find: 'if (loopCount < 1)', replace: 'if (loopCount < 0)' },
      {
        file: 'actors/multicast-handler.js',
        find: 'event.message.objective.loopCount <= 1',
        replace: 'event.message.objective.loopCount < 0',
      },
    ],
  },
  {
    name: 'relays a discovery again',
    row: 'G-2.5.4.4-13',
    changes: [
      {
        file: 'actors/discovery-relays.js',
        find: 'return this.#memory.has(sessionId, initiator, this.#options.clock.now());',
        replace: 'return false;',
      },
      {
        file: 'actors/discovery-relays.js',
        find: `if (this.#memory.add(message.sessionId, message.initiator, now) !== 'added')`,
        replace: 'if (false)',
      },
    ],
  },
  relays(
    'relays discoveries at any rate',
    'G-2.5.4.4-11',
    'if (!this.#bucket(arrival.interface).take(now))',
    'if (false)',
  ),
  relays(
    'keeps what a relayed discovery finds',
    'G-2.5.4.4-15',
    'sendBack(encodeMessage(answer), relay.arrival);',
    '',
  ),

  // ---- transport, security
  {
    name: 'sends floods of more than 1232 bytes',
    row: 'G-2.5.3-03',
    changes: [
      {
        file: 'protocol/constants.js',
        find: 'export const MAX_MULTICAST_SIZE = 1232;',
        replace: 'export const MAX_MULTICAST_SIZE = 1400;',
      },
    ],
  },
  {
    name: 'runs without security and without a word',
    row: 'G-3-01',
    changes: [
      {
        file: 'substrate/plain/options.js',
        find: `options.insecure === true ? 'insecure' : 'none'`,
        replace: `'insecure'`,
      },
    ],
  },

  // ---- floods
  floodRelay(
    'does not relay floods',
    'G-2.5.6.2-06',
    `actions: ['relay', 'cache', { type: 'count', params: { reason: 'flood.relay.relayed' } }]`,
    `actions: ['cache']`,
  ),
  floodRelay(
    'does not cache floods',
    'G-2.8.11-08',
    'cache: ({ context, event }) => context.port.cache(event.message, event.arrival)',
    'cache: () => undefined',
  ),
  floods(
    'relays floods to the interface they came by, too',
    'G-2.5.6.2-06',
    'if (pair.interface === arrival.interface)\n                continue;',
    '',
  ),
  {
    name: 'relays floods whose loop count is spent',
    row: 'G-2.5.6.2-11',
    changes: [
      { file: 'protocol/loop-count.js', find: 'if (loopCount < 1)', replace: 'if (loopCount < 0)' },
      { file: 'actors/floods.js', find: 'firstLoopCount(bytes) <= 1', replace: 'false' },
    ],
  },
  floods(
    'relays a flood again',
    'G-2.5.6.2-14',
    'isRelayed: (message) => this.#relayed.has(message.sessionId, message.initiator, clock.now())',
    'isRelayed: () => false',
  ),
  floodCache(
    'lets a flood with ttl 0 expire at once',
    'G-2.8.11-04',
    'const expiresAt = origin.ttl === 0 ? 0 : now + origin.ttl;',
    'const expiresAt = now + origin.ttl + 0.001;',
  ),
  floodCache(
    'returns floods that have expired',
    'G-2.8.11-12',
    'return record.expiresAt !== 0 && record.expiresAt <= now;',
    'return false;',
  ),
  floodCache(
    'takes floods with different tags for one',
    'G-2.8.11-11',
    `\${locator ? locatorKey(locator) : ''}`,
    '',
  ),
  floodCopy(
    'floods :: with loop counts above 1',
    'A-2.3.6-07',
    'objective: linkOnly ? { ...objective, loopCount: 1 } : objective,',
    'objective,',
  ),

  // ---- negotiation
  negotiation(
    'does not decrement the loop count of a step',
    'G-2.8.7-03',
    'return Math.min(passed ?? received, received) - 1;',
    'return Math.min(passed ?? received, received);',
  ),
  negotiation(
    'steps under another session ID',
    'G-2.8.7-03',
    'type: M_NEGOTIATE,\n        sessionId: terms.sessionId,',
    'type: M_NEGOTIATE,\n        sessionId: terms.sessionId ^ 1,',
  ),
  negotiation(
    'takes a step whose dry flag has changed',
    'G-2.10.2-01',
    'return objective.name === terms.name && isDryRun(objective.flags) === isDryRun(terms.flags);',
    'return objective.name === terms.name;',
  ),
  negotiation(
    'loses the reason of a decline',
    'A-2.3.5-07',
    `reason: event.message.reason ?? ''`,
    `reason: ''`,
  ),
  session(
    'does not wait as long as M_WAIT says',
    'G-2.8.9-02',
    `'message.wait': {
                    actions: { type: 'startTimer', params: ({ event }) => ({ ms: event.message.waitingTime }) },
                },`,
    `'message.wait': {},`,
  ),
  session(
    'gets another code when nobody answers',
    'G-2.8.6-05',
    `],
                'timer.expired': {
                    target: 'ended',
                    actions: { type: 'fail', params: { code: ErrorCode.noNegReply } },`,
    `],
                'timer.expired': {
                    target: 'ended',
                    actions: { type: 'fail', params: { code: ErrorCode.noPeer } },`,
  ),
  constants(
    'begins with loop count 5',
    'G-2.8.4-09',
    'export const GRASP_DEF_LOOPCT = 6;',
    'export const GRASP_DEF_LOOPCT = 5;',
    'G-2.5.4.1-01',
  ),
  constants(
    'takes messages of 1024 bytes at most',
    'G-2.8.3-01',
    'export const GRASP_DEF_MAX_SIZE = 2048;',
    'export const GRASP_DEF_MAX_SIZE = 1024;',
  ),
];
