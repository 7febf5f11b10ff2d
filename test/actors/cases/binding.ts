/** RFC 8990 §2.2 and §2.6 (a socket per interface, re-established after changes) as cases of the binding machine. */
import { bindingMachine, type BindingEvent, type BindingPort } from '../../../src/actors/binding.js';
import type { Effect, MachineCase, MachineSubject } from './play.js';
import { casesOf } from './subject.js';

const opened: BindingEvent = { type: 'opened' };
const failed: BindingEvent = { type: 'failed' };
const lost: BindingEvent = { type: 'lost' };
const expired: BindingEvent = { type: 'timer.expired' };
const changed: BindingEvent = { type: 'interface.changed' };
const stop: BindingEvent = { type: 'stop' };

const on = casesOf<BindingPort, BindingEvent>();
const again: Effect[] = [['stopRetryTimer'], ['open']];

const cases: MachineCase[] = [
  on('G-2.6-01 the socket of an interface opens', [], opened, { state: 'open', effects: [] }),
  on('G-2.2-03 a socket that cannot be opened is counted and tried again after a pause', [], failed, {
    state: 'retrying',
    effects: [['count', 'binding.failed'], ['startRetryTimer']],
  }),
  on('an interface that goes while its socket is being opened: closed', [], stop, {
    state: 'closed',
    effects: [['close']],
  }),
  on('a change of the interface does not disturb what is being opened', [], changed, {
    state: 'opening',
    effects: [],
  }),

  on('G-2.2-05 a socket that is lost is counted and opened again after a pause', [opened], lost, {
    state: 'retrying',
    effects: [['count', 'binding.lost'], ['startRetryTimer']],
  }),
  on('an interface that goes: its socket is closed', [opened], stop, {
    state: 'closed',
    effects: [['close']],
  }),
  on('a change of the interface leaves an open socket alone', [opened], changed, {
    state: 'open',
    effects: [],
  }),

  on('after the pause it is opened again', [failed], expired, { state: 'opening', effects: again }),
  on('G-2.2-05 after a loss too', [opened, lost], expired, { state: 'opening', effects: again }),
  on('it fails again: another pause, as often as it takes', [failed, expired, failed, expired], failed, {
    state: 'retrying',
    effects: [['count', 'binding.failed'], ['startRetryTimer']],
  }),
  on('an interface that gets its address ends the pause', [failed], changed, {
    state: 'opening',
    effects: again,
  }),
  on('an interface that goes during the pause: no timer is left', [failed], stop, {
    state: 'closed',
    effects: [['stopRetryTimer'], ['close']],
  }),

  on('closed is closed', [opened, stop], changed, { state: 'closed', effects: [] }),
];

export const bindingCases: MachineSubject = { name: 'binding', machine: bindingMachine, cases };
