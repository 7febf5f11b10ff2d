/** Tells every IPv6 multicast of interfaces, as it came. Arguments: the interfaces. Lines: `ready`, `heard`. */
import { createSocket } from 'node:dgram';

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function listen(name: string): Promise<void> {
  const socket = createSocket({ type: 'udp6', reuseAddr: true });
  socket.on('message', (bytes, { address, port }) =>
    say({ event: 'heard', interface: name, hex: bytes.toString('hex'), address, port }),
  );
  await new Promise<void>((resolve) => socket.bind(7017, `ff02::13%${name}`, resolve));
  socket.addMembership('ff02::13', `::%${name}`);
}

await Promise.all(process.argv.slice(2).map(listen));
say({ event: 'ready' });
