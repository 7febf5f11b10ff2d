import { substrateContract } from './contract.js';
import { threadsHarness } from './harness.js';

substrateContract('simulated, across threads', threadsHarness);
