/** Both transports of tunnels in one thread, for the contract suite and the benchmark. */
import type { PortNo } from '../../src/datapath/datapath.ts';
import { DUMMY_MEMORY_BYTES } from '../../src/datapath/dummy-port.ts';
import { PortableSockets } from '../../src/datapath/portable-sockets.ts';
import { RelayTunnelPort } from '../../src/datapath/relay-tunnel-port.ts';
import type { Shared } from '../../src/datapath/shared.ts';
import { TunnelPort } from '../../src/datapath/tunnel-port.ts';
import type { TunnelSpec, TunnelTransport } from '../../src/datapath/tunnel-transport.ts';
import type { Region } from '../../src/sys/region.ts';

export type OpenTransport = (
  portNo: PortNo,
  spec: TunnelSpec,
  region: Region,
  shared: Shared,
) => Promise<TunnelTransport>;

export const kernelTransport: OpenTransport = async (portNo, spec, region, shared) =>
  new TunnelPort(portNo, `t${portNo}`, spec, region, shared);

/** As worker and main thread do it, without the rings between. */
export const portableTransport: OpenTransport = async (portNo, spec, region, shared) => {
  let relay: RelayTunnelPort | null = null;
  const sockets = await PortableSockets.open(spec, {
    packet: (relayed) => void relay?.inject(relayed),
    dropped: () => {},
    now: () => performance.now(),
  });
  const memory = region.allocate(DUMMY_MEMORY_BYTES);
  const deliver = (packet: Uint8Array): boolean => {
    sockets.send(packet);
    return true;
  };
  const name = `t${portNo}`;
  relay = new RelayTunnelPort(portNo, name, spec, region, shared, memory, deliver);
  const closeRelay = relay.close.bind(relay);
  relay.close = () => {
    sockets.close();
    closeRelay();
  };
  return relay;
};
