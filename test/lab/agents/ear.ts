/** Tells every IPv6 multicast of an interface, as it came. Arguments: the interface. Lines: `ready`, `heard`. */
import { createSocket } from 'node:dgram';

const [interfaceName = 'lo'] = process.argv.slice(2);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const socket = createSocket({ type: 'udp6', reuseAddr: true });
socket.on('message', (bytes, { address }) => say({ event: 'heard', hex: bytes.toString('hex'), address }));
socket.bind(7017, `ff02::13%${interfaceName}`, () => {
  socket.addMembership('ff02::13', `::%${interfaceName}`);
  say({ event: 'ready' });
});
