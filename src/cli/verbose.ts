/** `--verbose`: what the engine publishes on `node:diagnostics_channel`, one line each. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { CHANNEL_PREFIX, type About, type DiagnosticEvent, type Published } from './api.js';
import type { Output } from './output.js';

/** Events that are told; counts come at the end, all together. */
const TOLD = ['worker', 'environment', 'session.begun', 'session.ended', 'multicast'] as const;

/** Logs what engines of this process do, until the function returned is called. */
export function logEvents(output: Output): () => void {
  const log = (message: unknown): void => {
    const text = textOf(message as Published);
    if (text !== undefined) output.log(text);
  };
  for (const name of TOLD) subscribe(`${CHANNEL_PREFIX}${name}`, log);
  return () => {
    for (const name of TOLD) unsubscribe(`${CHANNEL_PREFIX}${name}`, log);
  };
}

/** One line; names from the network are quoted, so that they cannot pass for something else. */
export function textOf(event: DiagnosticEvent): string | undefined {
  switch (event.name) {
    case 'worker': {
      const { thread, change, restarts, error } = event;
      const times = change === 'restarted' ? ` (${restarts})` : '';
      return `thread ${thread}: ${change}${times}${error === undefined ? '' : `: ${error}`}`;
    }
    case 'environment': {
      const names = event.interfaces.map(({ name }) => name).join(', ') || 'none';
      return `security: ${event.security}; interfaces: ${names}`;
    }
    case 'session.begun':
      return `${event.procedure} begun: ${aboutText(event.about)}`;
    case 'session.ended': {
      const { procedure, about, outcome, code, reason, tookMs } = event;
      const why = [
        ...(code === undefined ? [] : [`code ${code}`]),
        ...(reason === undefined || reason === '' ? [] : [JSON.stringify(reason)]),
      ].join(', ');
      const took = tookMs === undefined ? '' : `, ${tookMs.toFixed(1)} ms`;
      return `${procedure} ${outcome}${why === '' ? '' : ` (${why})`}: ${aboutText(about)}${took}`;
    }
    case 'multicast': {
      const { direction, message, objectives, peer, session, bytes, relayed } = event;
      const way = direction === 'received' ? 'from' : 'to';
      const who = peer ?? event.interface ?? '';
      return [
        `${message} ${relayed ? 'relayed' : direction} ${way} ${who}`,
        ...(session === undefined ? [] : [`session ${session}`]),
        ...(objectives.length === 0 ? [] : [objectives.map((name) => JSON.stringify(name)).join(', ')]),
        `${bytes} bytes`,
      ].join(', ');
    }
    default:
      return undefined;
  }
}

function aboutText({ objective, peer, session, role }: About): string {
  return [
    ...(objective === undefined ? [] : [JSON.stringify(objective)]),
    ...(role === undefined ? [] : [role]),
    ...(peer === undefined ? [] : [`peer ${peer}`]),
    ...(session === undefined ? [] : [`session ${session}`]),
  ].join(', ');
}
