/** Real time, for edges that wait (`grasp flood --every`) and take their clock from outside. */
export { nodeClock as realTime } from '../workers/node-clock.js';
