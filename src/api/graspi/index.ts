/**
 * `anima-grasp/graspi`: RFC 8991 and the API of the older Python prototype, name by name, so that an ASA written for
 * either ports line by line: `await` before each call, tuples as arrays. Stands on the API of `src/api` only;
 * docs/GRASPI.md says how to port.
 *
 * @example
 * import graspi from 'anima-grasp/graspi';
 * graspi.configure({ interfaces: ['eth0'], insecure: true });
 * const [err, handle] = await graspi.register_asa('Gray');
 * const obj = new graspi.objective('EX3');
 * obj.neg = true;
 */
import * as constants from './constants.js';
import { asa_locator, objective, session_handle, tagged_objective } from './classes.js';
import { errors, etext } from './codes.js';
import { createGraspi } from './facade.js';
import { cbor } from './values.js';

/** The facade of this process; its engine starts with the first register_asa. */
const facade = createGraspi();

const graspi = Object.assign(facade, {
  asa_locator,
  objective,
  session_handle,
  tagged_objective,
  errors,
  etext,
  cbor,
  ...constants,
});

export default graspi;

export const {
  register_asa,
  deregister_asa,
  register_obj,
  register_objective,
  deregister_obj,
  deregister_objective,
  discover,
  req_negotiate,
  request_negotiate,
  listen_negotiate,
  stop_negotiate,
  stop_listen_negotiate,
  negotiate_step,
  negotiate_wait,
  end_negotiate,
  send_invalid,
  synchronize,
  listen_synchronize,
  stop_synchronize,
  stop_listen_synchronize,
  flood,
  get_flood,
  expire_flood,
  skip_dialogue,
  tprint,
  ttprint,
  init_bubble_text,
  dump_all,
  notify,
  configure,
  close,
  polling,
  grasp,
} = facade;

export { asa_locator, objective, session_handle, tagged_objective } from './classes.js';
export type { remote_end } from './classes.js';
export { errors, etext } from './codes.js';
export * from './constants.js';
export type { dump } from './diagnosis.js';
export { createGraspi } from './facade.js';
export type { callback, notify_result } from './forms.js';
export type * from './interface.js';
export type * from './results.js';
export type { configuration } from './settings.js';
export { LISTEN_GAP_MS } from './single-listen.js';
export { cbor } from './values.js';
export { decodeValue, EncodedValue, encodeValue, RawCbor } from '../../protocol/index.js';
