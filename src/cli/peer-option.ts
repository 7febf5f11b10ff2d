/** `--peer`, checked before anything is started. */
import { parseLocator } from '../protocol/index.js';
import { usageError } from './exit.js';

/** Throws a usage error unless the text is something a request can go to. */
export function checkPeer(peer: string | undefined): void {
  if (peer === undefined || parseLocator(peer) !== undefined) return;
  throw usageError(
    `--peer ${JSON.stringify(peer)} is no address with a port`,
    'write [2001:db8::1]:4000, [fe80::1%eth0]:4000, 192.0.2.1:4000 or host.example.com:4000',
  );
}
