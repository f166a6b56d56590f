/** Both ways of moving tunnels' packets keep one contract: sockets of the datapath, and Node's. */
import { test } from 'vitest';
import { tunnelTransportContract } from '../contract/tunnel-transport.ts';
import { kernelTransport, portableTransport } from '../support/tunnel-transports.ts';

/** Ports that a run beside this one has not. */
const FIRST_UDP_PORT = 20_000 + (process.pid % 19_000);

const hasRawSocket = await import('raw-socket').then(
  () => true,
  () => false,
);

tunnelTransportContract('kernel', 'vxlan', FIRST_UDP_PORT, kernelTransport);
tunnelTransportContract('kernel', 'geneve', FIRST_UDP_PORT, kernelTransport);
tunnelTransportContract('kernel', 'gre', 0, kernelTransport);
tunnelTransportContract('portable', 'vxlan', FIRST_UDP_PORT, portableTransport);
tunnelTransportContract('portable', 'geneve', FIRST_UDP_PORT, portableTransport);
if (hasRawSocket) tunnelTransportContract('portable', 'gre', 0, portableTransport);
else test.skip('portable gre: the optional package raw-socket is not installed or did not build');
