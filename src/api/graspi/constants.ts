/** The constants of RFC 8990 §2.6 and §5 that ASAs of the prototype use, under its names. */
export {
  ALL_GRASP_NEIGHBORS_4,
  ALL_GRASP_NEIGHBORS_6,
  GRASP_DEF_LOOPCT,
  GRASP_DEF_MAX_SIZE,
  GRASP_DEF_TIMEOUT,
  GRASP_LISTEN_PORT,
  IPPROTO_TCP,
  IPPROTO_UDP,
} from '../../protocol/index.js';
