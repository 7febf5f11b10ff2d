import { substrateContract } from './contract.js';
import { inlineHarness } from './harness.js';

substrateContract('simulated, inline under virtual time', inlineHarness);
