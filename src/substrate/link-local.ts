/**
 * A substrate as a DULL instance may see it (RFC 8990 §2.5.2, RFC 8994 §6.4): one interface, link-local addresses,
 * and no protection, whatever carries it. Streams lead to and come from addresses of the link only.
 */
import { isLinkLocal } from '../protocol/index.js';
import { Counters } from '../runtime/counters.js';
import { SubstrateError, type Environment, type Stream, type Substrate } from './types.js';

/** What is refused here is counted as `dull.stream-source` by `dropped()`. */
export function linkLocalOnly(inner: Substrate, interfaceName: string): Substrate {
  const drops = new Counters();
  let from: Environment | undefined;
  let limited: Environment;
  const environment = (): Environment => {
    if (from !== inner.environment) {
      from = inner.environment;
      limited = limit(from, interfaceName);
    }
    return limited;
  };
  /** §2.5.2: what does not come from a link-local address, and by this interface, is discarded silently. */
  const fromLink =
    (onStream: (stream: Stream) => void) =>
    (stream: Stream): void => {
      const { address, interface: by = interfaceName } = stream.remote;
      if (isLinkLocal(address) && by === interfaceName) return onStream(stream);
      drops.add('dull.stream-source');
      stream.setHandlers({ onData: () => undefined, onEnd: () => undefined, onClose: () => undefined });
      stream.abort();
    };
  return {
    get environment() {
      return environment();
    },
    watch: (listener) => inner.watch(() => listener(environment())),
    openReceiver: (name, onDatagram, onLost) => inner.openReceiver(name, onDatagram, onLost),
    openPair: (name, options) => inner.openPair(name, { ...options, onStream: fromLink(options.onStream) }),
    // It belongs to the node, not to a link, and the node has it for its protected instance.
    openWellKnown: () =>
      Promise.reject(new SubstrateError('unsupported', 'a DULL instance takes no unicasts')),
    dropped: () => ({ ...inner.dropped?.(), ...drops.snapshot() }),
    listen: (options, onStream) => inner.listen(options, fromLink(onStream)),
    connect: (target, options) =>
      isLinkLocal(target.address)
        ? inner.connect(target, options)
        : Promise.reject(new SubstrateError('unreachable', `${target.address} is not on the link`)),
    close: () => inner.close(),
  };
}

function limit({ interfaces }: Environment, name: string): Environment {
  return Object.freeze({
    security: 'none',
    interfaces: Object.freeze(
      interfaces
        .filter((info) => info.name === name)
        .map((info) =>
          Object.freeze({
            ...info,
            addresses: Object.freeze(info.addresses.filter((each) => isLinkLocal(each))),
          }),
        ),
    ),
    otherAddresses: Object.freeze([]),
  });
}
