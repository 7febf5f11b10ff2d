import { labDescribe } from '../lab/describe.js';
import { substrateContract } from './contract.js';
import { plainHarness } from './harness.js';

substrateContract('plain, in network namespaces', plainHarness, labDescribe);
