/**
 * `--import` of a broken engine's process: GRASP_BROKEN holds its changes as JSON. Worker threads load it too, since
 * they inherit the flag.
 */
import { register } from 'node:module';
import type { Change } from './engines.js';

const changes = JSON.parse(process.env['GRASP_BROKEN'] ?? '[]') as readonly Change[];
register('./hooks.js', { parentURL: import.meta.url, data: changes });
