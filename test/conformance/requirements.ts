/** The statements of RFC 8990, 8991, 8994, 8995 and 8085 that a GRASP engine is measured by: requirements.json. */
import { readFileSync } from 'node:fs';

export interface Requirement {
  readonly id: string;
  readonly section: string;
  readonly level: string;
  readonly role: string;
  /** Y on the wire, A through the API, P partly, N not from outside, D binds somebody else. */
  readonly testable: 'Y' | 'A' | 'P' | 'N' | 'D';
  readonly statement: string;
  readonly test: string;
}

/** Compiled code lies in dist/test/conformance; the data stays where it is. */
const FILE = new URL('../../../test/conformance/requirements.json', import.meta.url);

export const requirements = JSON.parse(readFileSync(FILE, 'utf8')) as readonly Requirement[];
