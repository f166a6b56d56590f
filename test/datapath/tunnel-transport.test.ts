/** Both ways of moving tunnels' packets keep one contract: sockets of the datapath, and Node's. */
import { test } from 'vitest';
import type { PortNo } from '../../src/datapath/datapath.ts';
import { DUMMY_MEMORY_BYTES } from '../../src/datapath/dummy-port.ts';
import { PortableSockets } from '../../src/datapath/portable-sockets.ts';
import { RelayTunnelPort } from '../../src/datapath/relay-tunnel-port.ts';
import { TunnelPort } from '../../src/datapath/tunnel-port.ts';
import { type OpenTransport, tunnelTransportContract } from '../contract/tunnel-transport.ts';

/** Ports that a run beside this one has not. */
const FIRST_UDP_PORT = 20_000 + (process.pid % 19_000);

const kernel: OpenTransport = async (portNo, spec, region, shared) =>
  new TunnelPort(portNo, `t${portNo}`, spec, region, shared);

/** As worker and main thread do it, without the rings between. */
const portable: OpenTransport = async (portNo, spec, region, shared) => {
  let relay: RelayTunnelPort | null = null;
  const sockets = await PortableSockets.open(spec, {
    packet: (relayed) => void relay?.inject(relayed),
    dropped: (reason) => {
      throw new Error(reason);
    },
    now: () => performance.now(),
  });
  const memory = region.allocate(DUMMY_MEMORY_BYTES);
  const deliver = (packet: Uint8Array): boolean => {
    sockets.send(packet);
    return true;
  };
  const name = `t${portNo as PortNo}`;
  relay = new RelayTunnelPort(portNo, name, spec, region, shared, memory, deliver);
  const closeRelay = relay.close.bind(relay);
  relay.close = () => {
    sockets.close();
    closeRelay();
  };
  return relay;
};

const hasRawSocket = await import('raw-socket').then(
  () => true,
  () => false,
);

tunnelTransportContract('kernel', 'vxlan', FIRST_UDP_PORT, kernel);
tunnelTransportContract('kernel', 'geneve', FIRST_UDP_PORT, kernel);
tunnelTransportContract('kernel', 'gre', 0, kernel);
tunnelTransportContract('portable', 'vxlan', FIRST_UDP_PORT, portable);
tunnelTransportContract('portable', 'geneve', FIRST_UDP_PORT, portable);
if (hasRawSocket) tunnelTransportContract('portable', 'gre', 0, portable);
else test.skip('portable gre: the optional package raw-socket is not installed or did not build');
