/** The adapter's calls about infrastructure announcements (RFC 8994, RFC 8995): `announce` and `announced`. */
import {
  announceAcp,
  announceEst,
  announceProxy,
  announceRegistrar,
  listenAcp,
  listenEst,
  listenProxy,
  listenRegistrar,
  type AcpMethod,
  type Grasp,
  type RegistrarProtocol,
} from '../../../src/index.js';
import { NotSupported, type Arguments } from './serve.js';

/** Begins an announcement; it ends with its engine. */
export async function announce(grasp: Grasp, args: Arguments): Promise<void> {
  const { kind, port, methods, protocols } = args as {
    kind: string;
    port?: number;
    methods?: AcpMethod[];
    protocols?: RegistrarProtocol[];
  };
  if (kind === 'AN_ACP') await announceAcp(grasp, { methods: methods! });
  else if (kind === 'AN_Proxy') await announceProxy(grasp, { port: port! });
  else if (kind === 'SRV.est') await announceEst(grasp, { port: port! });
  else if (kind === 'AN_join_registrar') await announceRegistrar(grasp, { protocols: protocols! });
  else throw new NotSupported(`announcements of ${kind}`);
}

interface Known {
  readonly address: string;
  readonly port: number | null;
  readonly method?: string;
}

/** What can be used of what others announce. */
export async function announced(grasp: Grasp, kind: string): Promise<Known[]> {
  if (kind === 'AN_ACP') {
    return (await first(listenAcp(grasp))).map(({ address, port, method }) => ({ address, port, method }));
  }
  if (kind === 'AN_Proxy') {
    return (await first(listenProxy(grasp))).map(({ address, port }) => ({ address, port }));
  }
  if (kind === 'SRV.est') {
    return (await first(listenEst(grasp))).map(({ address, port }) => ({ address, port }));
  }
  if (kind === 'AN_join_registrar') {
    return (await first(listenRegistrar(grasp))).map(({ name, locator: { address, port } }) => ({
      address,
      port,
      method: name,
    }));
  }
  throw new NotSupported(`announcements of ${kind}`);
}

/** The list as it is now. */
async function first<T>(lists: AsyncIterable<T[]>): Promise<T[]> {
  for await (const list of lists) return list;
  return [];
}
