/** Ready-made announcers of infrastructure, and those who listen to them (RFC 8994, RFC 8995). */
export type { Announcement, AnnounceOptions } from './announce.js';
export { announceAcp, listenAcp, type AcpMethod, type AcpNeighbour } from './acp.js';
export type { AnnouncerHost } from './host.js';
export type { Announced, AnnouncedList, ListenOptions } from './listen.js';
export {
  announceEst,
  announceRegistrar,
  listenEst,
  listenRegistrar,
  type EstServer,
  type NetworkAnnounceOptions,
  type Registrar,
  type RegistrarProtocol,
} from './network.js';
export { announceProxy, listenProxy, type JoinProxy, type ProxyMethod } from './proxy.js';
