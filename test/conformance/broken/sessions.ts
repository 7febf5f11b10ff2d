/** Broken engines, continued: sessions, DULL instances and registration. See engines.ts. */
import { inFile, type BrokenEngine } from './engines.js';

const handler = inFile('actors/multicast-handler.js');
const negotiation = inFile('actors/negotiation-rules.js');
const session = inFile('actors/negotiation-session.js');
const rules = inFile('actors/session-rules.js');
const synchronization = inFile('actors/synchronization-session.js');
const dull = inFile('protocol/dull.js');
const registry = inFile('workers/registry.js');
const facade = inFile('api/graspi/registration.js');
const synchronize = inFile('api/synchronize.js');

export const brokenSessions: readonly BrokenEngine[] = [
  // ---- negotiation, synchronization, M_INVALID
  session(
    'takes a session ID that is in use',
    'G-2.8.6-10',
    `return context.port.judgeSessionId(event.message.sessionId) === 'clash';`,
    'return false;',
  ),
  session(
    'sends a step whose loop count is spent',
    'G-2.8.7-04',
    'return nextLoopCount(context.loopCount, event.loopCount) <= 0;',
    'return false;',
  ),
  negotiation(
    'accepts where it should decline',
    'G-2.8.8-01',
    'return { type: M_END, sessionId, accept: end.accept,',
    'return { type: M_END, sessionId, accept: true,',
  ),
  negotiation(
    'sends an M_WAIT with another time',
    'A-2.3.5-15',
    'return { type: M_WAIT, sessionId, waitingTime };',
    'return { type: M_WAIT, sessionId, waitingTime: waitingTime + 1 };',
  ),
  negotiation(
    'has no code of its own for a bad M_END',
    'A-2.2-06',
    'return ErrorCode.invalidEnd;',
    'return ErrorCode.noValidStep;',
  ),
  rules(
    'answers by M_INVALID of another session',
    'G-2.8.12-02',
    'return { type: M_INVALID, sessionId, info };',
    'return { type: M_INVALID, sessionId: sessionId ^ 1, info };',
  ),
  inFile('actors/synchronization-rules.js')(
    'answers M_REQ_SYN under another session ID',
    'G-2.8.10-01',
    'return { type: M_SYNCH, sessionId, objective: { name, flags, loopCount, value } };',
    'return { type: M_SYNCH, sessionId: sessionId ^ 1, objective: { name, flags, loopCount, value } };',
  ),
  synchronization(
    'leaves the connection open after M_SYNCH',
    'G-2.5.6.1-01',
    `{ target: 'ended', actions: ['keepPeersRequest', 'sendSynch'] },`,
    `{ actions: ['keepPeersRequest', 'sendSynch'] },`,
  ),
  synchronize('asks the network for what was flooded', 'A-2.3.6-01', 'if (flooded) {', 'if (false) {'),

  // ---- DULL
  dull(
    'DULL: answers discoveries with any loop count',
    'G-2.5.2-06',
    'return objectivesOf(message).every(({ loopCount }) => loopCount === 1);',
    'return message.type !== M_FLOOD || objectivesOf(message).every(({ loopCount }) => loopCount === 1);',
  ),
  dull(
    'DULL: takes floods of any objective',
    'G-2.5.2-07',
    'return objectivesOf(message).every(({ name }) => objectives.includes(name));',
    'return message.type === M_FLOOD || objectives.includes(message.objective.name);',
  ),
  handler(
    'DULL: takes what comes from a global address',
    'G-2.5.2-11',
    '!isLinkLocal(event.arrival.address)',
    'false',
  ),
  inFile('actors/discoveries.js')(
    'DULL: discovers with the loop count of the objective',
    'G-2.5.2-04',
    '{ ...asked, objective: { ...asked.objective, loopCount: 1 } }',
    'asked',
  ),

  // ---- registration
  registry(
    'lets ASAs share an objective without a word',
    'A-2.3.3-11',
    'share.overlap &&\n                registration.overlap &&',
    '',
  ),
  facade(
    'does not tell what others have registered from what nobody has',
    'A-2.3.3-13',
    'known ? ErrorCode.notYourObj : ErrorCode.notObj',
    'ErrorCode.notObj',
  ),
  {
    name: 'takes an objective for negotiation and synchronization',
    row: 'A-2.3.2-05',
    changes: [
      {
        file: 'protocol/objective.js',
        find: 'if (spec.negotiate && spec.synchronize)',
        replace: 'if (false)',
      },
      { file: 'api/graspi/state.js', find: 'if (copy.neg && copy.synch)', replace: 'if (false)' },
    ],
  },
];
