/** Engines with a broken API, or with broken announcements: RFC 8991, RFC 8994, RFC 8995. See engines.ts. */
import { inFile, type BrokenEngine } from './engines.js';

const cache = inFile('protocol/discovery-cache.js');
const floodCache = inFile('protocol/flood-cache.js');
const session = inFile('actors/negotiation-session.js');
const rules = inFile('actors/negotiation-rules.js');
const registry = inFile('workers/registry.js');
const checks = inFile('api/checks.js');
const negotiation = inFile('api/graspi/negotiation.js');
const registration = inFile('api/graspi/registration.js');
const synchronization = inFile('api/graspi/synchronization.js');
const values = inFile('api/graspi/values.js');
const forms = inFile('api/graspi/forms.js');
const synchronize = inFile('api/synchronize.js');
const kinds = inFile('api/announcers/kinds.js');
const acp = inFile('api/announcers/acp.js');

export const brokenApis: readonly BrokenEngine[] = [
  // ---- handles, polls, codes
  forms(
    'a poll begins the call anew',
    'A-2.2-02',
    'calls.set(operation.key, begun);',
    'calls.delete(operation.key);',
  ),
  forms(
    'calls back twice',
    'A-2.3.2-16',
    '.then((result) => hear(...result))',
    '.then((result) => (hear(...result), hear(...result)))',
  ),
  registry(
    'handles are counted',
    'A-2.3.2-14',
    'this.#random(bytes);',
    'bytes[3] = this.asas.size + 1; bytes[2] = (this.asas.size + 1) >> 8;',
  ),
  registry(
    'two ASAs may have one name',
    'A-2.3.3-02',
    'if (asa.name === name)',
    'if (asa.name === name + name)',
  ),
  registration(
    'anybody may deregister an ASA',
    'A-2.3.3-05',
    'if (record.asa.handle !== handle)',
    'if (false)',
  ),
  checks('timeout 0 is at once', 'A-2.3.5-15', '|| GRASP_DEF_TIMEOUT', '|| 1', 'A-2.3.3-09'),
  checks('takes numbers beyond 32 bits', 'A-2.3.2-01', 'value >= 0 && value <= MAX_UINT32', 'value >= -1'),
  rules('a broken answer is an invalid one', 'A-2.3.2-08', "if (refused.kind === 'malformed')", 'if (false)'),
  rules(
    'the count does not follow what was received',
    'A-2.3.5-14',
    'Math.min(passed ?? received, received) - 1',
    '5',
  ),
  session(
    'a dry run may become a negotiation',
    'A-2.3.5-09',
    'return event.dryRun !== undefined && event.dryRun !== isDryRun(context.flags);',
    'return false;',
  ),
  negotiation(
    'a request without value has value 0',
    'A-2.3.2-07',
    'const value = encoded(asked.value);',
    'const value = encoded(asked.value?.bytes?.[0] === 0xf6 || asked.value === null ? 0 : asked.value);',
  ),
  negotiation(
    'an ASA gets the loop count it has sent',
    'A-2.3.5-06',
    'const { dryRun: dry, loopCount: loop_count } = session;',
    'const { dryRun: dry } = session, loop_count = about.loop_count;',
  ),
  values(
    'raw CBOR is sent as it is',
    'A-2.3.2-10',
    'return new RawCbor(value);',
    'return new EncodedValue(value);',
  ),
  // ---- discovery, flooding, synchronization
  cache('minimum_TTL deletes nothing', 'A-2.3.4-02', 'entry.expiresAt - now <= minimumTtlMs', 'false'),
  floodCache(
    'expire_flood removes what it says only with a ttl',
    'A-2.3.6-11',
    'this.#delete(entry);\n        return !hasExpired(entry, now);',
    'if (entry.record.expiresAt !== 0)\n            this.#delete(entry);\n        return !hasExpired(entry, now);',
  ),
  synchronize(
    'asks the caches first although a peer is given',
    'A-2.3.6-03',
    'return peer ? ask(request, peer, undefined)',
    'if (peer)\n        return floodsOf(client, name, signal).then(({ length }) => length ? synchronizeWithWhomever(request) : ask(request, peer, undefined));\n    return peer ? ask(request, peer, undefined)',
  ),
  synchronization(
    'synchronizes the first value for ever',
    'A-2.3.6-04',
    'await record.registered(name).objective.listenSynchronize(encoded(value));',
    'await record.registered(name).objective.listenSynchronize((record.first ??= encoded(value)));',
  ),
  // ---- announcements
  kinds(
    'AN_Proxy lives too short',
    'B-4.1-02',
    "objective: 'AN_Proxy',\n    scope: 'link',\n    loopCount: 1,\n    periodsToLive: 3,",
    "objective: 'AN_Proxy',\n    scope: 'link',\n    loopCount: 1,\n    periodsToLive: 1,",
  ),
  acp('believes any locator', 'P-6.4-09', ' || locator.address !== initiator', ''),
  acp(
    'knows only plain values',
    'P-6.4-10',
    'return Array.isArray(value) ? value : [value];',
    'return [value];',
  ),
];
