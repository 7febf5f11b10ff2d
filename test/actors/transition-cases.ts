/**
 * Every machine with its cases; one file per machine in `cases/`. `npm run check:transitions` removes each
 * transition in turn and expects a case to fail.
 */
import { bindingCases } from './cases/binding.js';
import { discoveryRelayCases } from './cases/discovery-relay.js';
import { discoveryResponseCases } from './cases/discovery-response.js';
import { discoverySessionCases } from './cases/discovery-session.js';
import { floodRelayCases } from './cases/flood-relay.js';
import { multicastHandlerCases } from './cases/multicast-handler.js';
import { negotiationSessionCases } from './cases/negotiation-session.js';
import type { MachineSubject } from './cases/play.js';
import { requestListenerCases } from './cases/request-listener.js';
import { responseConnectionCases } from './cases/response-connection.js';
import { synchronizationSessionCases } from './cases/synchronization-session.js';
import { unicastConnectionCases } from './cases/unicast-connection.js';
import { workerSupervisionCases } from './cases/worker-supervision.js';

export const machines: MachineSubject[] = [
  negotiationSessionCases,
  synchronizationSessionCases,
  requestListenerCases,
  discoverySessionCases,
  multicastHandlerCases,
  floodRelayCases,
  discoveryResponseCases,
  responseConnectionCases,
  discoveryRelayCases,
  unicastConnectionCases,
  bindingCases,
  workerSupervisionCases,
];
