/**
 * The substrate: RFC 8990 §2.5.1's word for what carries GRASP messages. Two halves, best-effort packets
 * (link-local multicast, always with the interface they came by) and reliable streams, plus the interfaces and
 * the security of the whole, and changes of both. The real one (`plain`) and the simulated one implement this
 * same interface and pass the same contract suite (`test/substrate/contract.ts`).
 */

/** `none`: calls give noSecurity (16). `insecure`: explicitly allowed for tests. `secure`: mutual TLS or ACP. */
export type Security = 'none' | 'insecure' | 'secure';

/** One usable network interface as it is now. Addresses are text without zone. */
export interface InterfaceInfo {
  readonly name: string;
  readonly index: number;
  /** Link-local IPv6 address, if it has one. */
  readonly linkLocal: string | undefined;
  /** Other addresses, global and ULA, IPv6 and IPv4, in the order of the host. Never loopback addresses. */
  readonly addresses: readonly string[];
}

/** What the substrate publishes; a new frozen object at every change. */
export interface Environment {
  readonly security: Security;
  /** The interfaces chosen for GRASP that are up now. */
  readonly interfaces: readonly InterfaceInfo[];
  /** Usable addresses of every other interface of the node, `lo` included; for the own-address rule. */
  readonly otherAddresses: readonly string[];
}

/** A datagram as it came. `bytes` is valid only until the handler returns: copy what is kept. */
export interface Datagram {
  readonly bytes: Uint8Array;
  /** Name of the interface it arrived by. */
  readonly interface: string;
  /** Source address, without zone. */
  readonly address: string;
  readonly port: number;
}

/** Where a stream leads. A link-local `address` needs `interface`. */
export interface Target {
  /** Without zone; or a name, if `fqdn`. */
  readonly address: string;
  /** `address` is a name: it is resolved first (RFC 8990 §2.8.6); `unreachable` if it has no usable address. */
  readonly fqdn?: boolean | undefined;
  readonly port: number;
  readonly interface?: string | undefined;
}

export type StreamErrorKind =
  /** Nobody listens there (RST to SYN). */
  | 'refused'
  /** No route, no neighbour, interface gone. */
  | 'unreachable'
  /** No answer within the connect timeout. */
  | 'timeout'
  /** The peer or the stack cut an open connection. */
  | 'reset'
  /** The caller's own side: closed substrate, no file descriptor left, bad target. */
  | 'local';

/** Why a substrate operation failed. Never thrown at a listener; always a rejection or an `onClose` argument. */
export class SubstrateError extends Error {
  override readonly name = 'SubstrateError';
  constructor(
    readonly kind: StreamErrorKind | 'address-in-use' | 'no-interface' | 'too-big' | 'unsupported',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

export interface StreamHandlers {
  /** Bytes as they arrive, in order; valid only until the handler returns. */
  onData(bytes: Uint8Array): void;
  /**
   * The peer has finished sending (FIN). What was sent before has been delivered. A reset that finds unread bytes
   * may be told as an end too (libuv on Linux), and one after an end only when something is written: a message
   * is whole when its own length says so, never because the stream ended.
   */
  onEnd(): void;
  /** The stream is gone, once, always last: after both sides finished, a reset, or {@link Stream.abort}. */
  onClose(error?: SubstrateError): void;
  /** After {@link Stream.write} returned false: there is room again. */
  onDrain?(): void;
}

/** A reliable, ordered byte stream: TCP, or its simulated twin. */
export interface Stream {
  readonly remote: Target;
  /** Undefined where it cannot be told (any more). May cost a system call when it is asked for first. */
  readonly local: Target | undefined;
  /** To be called in the same turn in which the stream was handed over; later ones take the place of these. */
  setHandlers(handlers: StreamHandlers): void;
  /**
   * Sends the bytes, which must not change from now on, in one write, so that one message leaves in one segment
   * where it fits. False: the peer is slow, wait for `onDrain`. After `end`, `abort` or close: ignored.
   */
  write(bytes: Uint8Array): boolean;
  /** Bytes written and not yet handed to the network. */
  readonly bufferedBytes: number;
  /** Finishes the sending side after what was written is out. The stream closes when the peer ends too. */
  end(): void;
  /** Drops the stream at once; the peer sees a reset. */
  abort(): void;
  /** Stops and resumes `onData`; the peer is held back meanwhile. */
  pause(): void;
  resume(): void;
}

/** Accepts streams on one port. */
export interface StreamListener {
  readonly port: number;
  /** Stops accepting; streams already accepted go on. Resolves when the port is free. */
  close(): Promise<void>;
}

/**
 * How a connect is given up. An AbortSignal is one; a session makes its own, because an AbortController costs more
 * than all the rest of asking for a stream.
 */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void, options?: { once: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface ListenOptions {
  /** 0 or absent: any free port. */
  readonly port?: number | undefined;
  /** Accepted streams waiting for `onStream`, and pending connections of the stack. Default 511. */
  readonly backlog?: number | undefined;
}

/** Receives the group's multicasts of one interface (port 7017). */
export interface PacketReceiver {
  close(): Promise<void>;
  /** Datagrams the stack dropped because this receiver was behind; absent where it cannot be known. */
  kernelDrops?(): number;
}

/**
 * The sending half of one interface: a UDP socket for multicasts and a stream listener on the same port number
 * (RFC 8990 §2.8.4), bound as a pair.
 */
export interface PortPair {
  readonly interface: string;
  readonly port: number;
  /**
   * One datagram to the group on this interface, from this port. Rejects with `too-big` (more than the link carries
   * in one packet; what this node itself may send is bounded by the sender, §2.5.3), `unreachable`, `local`.
   */
  sendMulticast(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Unicast port 7017 of the node: UDP on each of its addresses, and streams (RFC 8990 §2.6). */
export interface WellKnownPort {
  readonly port: number;
  close(): Promise<void>;
}

/** One thread's view of the substrate. Every thread of an engine opens its own from the same description. */
export interface Substrate {
  /** The state now. */
  readonly environment: Environment;
  /** Calls back with the new environment at every change; returns the way to stop. */
  watch(listener: (environment: Environment) => void): () => void;
  /**
   * Joins the group on an interface. `onDatagram` gets every multicast of that interface, the node's own looped
   * back copies too. `onLost` once if the socket fails later (interface gone); the receiver is closed then.
   */
  openReceiver(
    interfaceName: string,
    onDatagram: (datagram: Datagram) => void,
    onLost: (error: SubstrateError) => void,
  ): Promise<PacketReceiver>;
  /** Binds UDP and stream listener to one port, `port` if given (`address-in-use` if taken), else a free one. */
  openPair(
    interfaceName: string,
    options: {
      port?: number | undefined;
      onStream: (stream: Stream) => void;
      onLost: (error: SubstrateError) => void;
    },
  ): Promise<PortPair>;
  /**
   * Takes unicasts to port 7017: datagrams to any address of the chosen interfaces (rebound as they change), and
   * streams, each with the interface it came by (undefined: none of the chosen). Rejects `address-in-use` when
   * another engine of this host has them. `onLost` once if they fail later.
   */
  openWellKnown(options: {
    onDatagram: (datagram: Datagram) => void;
    onStream: (stream: Stream, interfaceName: string | undefined) => void;
    onLost: (error: SubstrateError) => void;
  }): Promise<WellKnownPort>;
  /** What came and was dropped here because no interface could be told for it, by reason; absent: nothing ever is. */
  dropped?(): Readonly<Record<string, number>>;
  /** Listens on every address of the node. */
  listen(options: ListenOptions, onStream: (stream: Stream) => void): Promise<StreamListener>;
  /** Opens a stream; rejects with `refused`, `unreachable`, `timeout`, `local`. */
  connect(target: Target, options: { timeoutMs: number; signal?: CancelSignal | undefined }): Promise<Stream>;
  /** Closes everything opened here. Idempotent. */
  close(): Promise<void>;
}
