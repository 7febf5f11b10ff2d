/**
 * Who may read. The server listens on 127.0.0.1 only, but a browser of this host also runs pages of others: those may
 * connect to any port, or have their own name resolve to 127.0.0.1 (DNS rebinding). So the Host must be this machine's
 * own name, and an Origin the server's own.
 */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';

const OWN_NAMES = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

/** @returns why the request is refused, if it is. */
export function refusal({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  const { host, origin } = headers;
  // A tunnel may have another port on this side, so the port is free; the name is not.
  if (host === undefined || !OWN_NAMES.test(host)) return 'this host is not served here';
  // Programs send none; browsers send it with every WebSocket and with whatever another page asks for.
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return 'this origin is not served here';
  }
  return undefined;
}

const COMMON: OutgoingHttpHeaders = {
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const NO_OTHERS = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/** For the local page: nothing from outside, nothing inline, no text is ever markup. */
export const PAGE_HEADERS: OutgoingHttpHeaders = {
  ...COMMON,
  'content-security-policy': `default-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; ${NO_OTHERS}`,
};

/** For the bridge to the Stately Inspector: the same, and one frame, of `inspector` (an origin). */
export function bridgeHeaders(inspector: string): OutgoingHttpHeaders {
  return {
    ...COMMON,
    // The frame opens windows of its own (sign-in).
    'cross-origin-opener-policy': 'same-origin-allow-popups',
    'content-security-policy': `default-src 'self'; frame-src ${inspector}; ${NO_OTHERS}`,
  };
}
