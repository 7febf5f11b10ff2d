/**
 * Every machine with its cases; one file per machine in `cases/`. `npm run check:transitions` removes each
 * transition in turn and expects a case to fail.
 */
import { negotiationSessionCases } from './cases/negotiation-session.js';
import type { MachineSubject } from './cases/play.js';
import { requestListenerCases } from './cases/request-listener.js';

export const machines: MachineSubject[] = [negotiationSessionCases, requestListenerCases];
