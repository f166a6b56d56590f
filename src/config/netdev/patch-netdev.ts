/**
 * A patch port: one end of a cable between two bridges, in translation only. The datapath never sees it
 * (ovs-vswitchd.conf.db(5), Interface: type patch).
 */
import type { WantedInterface } from '../wanted.ts';
import { type Netdev, NetdevError } from './netdev.ts';

/** `mac`: the made-up address to report, 48 bits. */
export async function openPatch(want: WantedInterface, mac: bigint): Promise<Netdev> {
  const peer = want.options.peer;
  if (peer === undefined || peer === '') {
    throw new NetdevError(`${want.name}: patch type requires valid 'peer' argument`);
  }
  if (peer === want.name) {
    throw new NetdevError(`${want.name}: patch peer must not be self`);
  }
  return {
    name: want.name,
    typeText: 'patch',
    spec: null,
    ifindex: 0,
    current: () => true,
    status: () => ({
      mac,
      adminUp: true,
      linkUp: true,
      linkResets: 0,
      speedBps: null,
      fullDuplex: null,
      mtu: null,
      ifindex: 0,
      status: {},
    }),
    setMtu: () => {},
    setMac: () => {},
    close: async () => {},
  };
}
