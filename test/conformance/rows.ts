/**
 * How a row is written.
 *
 * One test per requirement that can be tested (column T of requirements.json: Y, A, P), named by its id, in the file
 * of its section under rows/ (a new file is imported by rows/index.ts). A row is an async function; what it throws is
 * why the engine fails it:
 *
 *     row('G-2.5.4.3-02', async (t) => {
 *       await t.listening({ name: 'EX1', negotiate: true });          // E offers EX1
 *       const { response } = await t.discovered(t.p, 'EX1');          // P discovers it: M_RESPONSE within 2 s
 *       t.same(response[2], t.p.initiator, 'initiator');              // own expectations say what they are about
 *     });
 *
 * The words of the requirements' tests, and where they are:
 *
 * - E: `t.engine` (typed calls of adapter.ts), started anew for each row on i1 and i2; options: `{ start: {…} }` for
 *   other start arguments, `{ start: null }` to start it in the row. `t.asa()` is one registered ASA. A call the
 *   adapter does not support makes the row notApplicable by itself.
 * - P, P2 (link i1), Q (link i2): `t.p`, `t.p2`, `t.q` (peer.ts): `pair()` is a UDP socket with a TCP listener on
 *   the same port, `listen()` a TCP listener, `connect()` a connection, `multicasts` what was heard on the link.
 * - disc(N,c), flood(N,c): `t.disc(N, {…})` → a {@link Discovery} with the pair it was sent from and its sid;
 *   `t.flood(N, {…})`.
 * - Silence: `t.silence(discovery)`: nothing of E related to it, for `--silence` ms (default 1000; the table says
 *   3 s, but an engine that answers does so at once). Followed by `t.alive()`: E still answers a discovery.
 * - "At once" is 1 s, a response 2 s: the defaults of the waiting methods. All waiting is for something to be seen
 *   (`t.p.hears(…)`, `conn.next()`, `conn.closes()`, `t.until(…)`), never for time to pass; where the absence of
 *   something is the point, `t.never(look, ms, what)` watches for it all the time.
 * - Timers: `t.near(ms, expected, what)` is ± 10 % or 250 ms, the larger.
 * - Codes: `await t.code(13, call)`; `await t.code([23, 27], call)`.
 *
 * Options: `{ slowMs: 60_000 }` for a row that takes more than 5 s (left out by --quick, run first, time limit
 * follows), `{ needs: ['dull'] }` for capabilities of the adapter's hello without which the row does not apply,
 * `{ clean: true }` for a row that does things to the namespaces (`t.lab.ip('e', …)`): the lab is thrown away after.
 * A requirement that a row for another one shows as well: `row(['G-2.5.4.3-12', 'G-2.8.5-11'], …)`.
 * Messages: builders and constants in wire.ts, items in cbor.ts (`Verbatim('85 01 …')` for broken bytes).
 */
import type { StartArguments } from './adapter.js';
import type { T } from './context.js';

export interface RowOptions {
  readonly start?: StartArguments | null;
  readonly slowMs?: number;
  readonly needs?: readonly string[];
  readonly clean?: boolean;
}

export interface Row {
  readonly id: string;
  readonly options: RowOptions;
  readonly body: (t: T) => Promise<void>;
}

const rows = new Map<string, Row>();
const closed = new Map<string, string>();

export function row(id: string | readonly string[], body: (t: T) => Promise<void>): void;
export function row(id: string | readonly string[], options: RowOptions, body: (t: T) => Promise<void>): void;
export function row(
  id: string | readonly string[],
  options: RowOptions | ((t: T) => Promise<void>),
  body?: (t: T) => Promise<void>,
): void {
  for (const each of typeof id === 'string' ? [id] : id) {
    if (rows.has(each) || closed.has(each)) throw new Error(`row ${each} is defined twice`);
    if (typeof options === 'function') rows.set(each, { id: each, options: {}, body: options });
    else rows.set(each, { id: each, options, body: body! });
  }
}

/** Rows that no engine can be tested for here, and why. */
export function notApplicable(reason: string, ...ids: readonly string[]): void {
  for (const id of ids) {
    if (rows.has(id) || closed.has(id)) throw new Error(`row ${id} is defined twice`);
    closed.set(id, reason);
  }
}

export const OPEN_SUBSTRATE = 'open: secure substrate';

export function definedRows(): ReadonlyMap<string, Row> {
  return rows;
}

export function closedRows(): ReadonlyMap<string, string> {
  return closed;
}
