/**
 * `--import` of a broken engine's process: GRASP_BROKEN holds its changes as JSON. Worker threads load it too, since
 * they inherit the flag.
 */
import { register } from 'node:module';

register('./hooks.js', { parentURL: import.meta.url, data: JSON.parse(process.env['GRASP_BROKEN'] ?? '[]') });
