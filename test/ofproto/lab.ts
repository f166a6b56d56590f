/** A switch in memory for tests: virtual clock, inline datapath, dummy ports, frames as bytes. */
import type { PortNo } from '../../src/datapath/datapath.ts';
import { InlineDatapath } from '../../src/datapath/inline-datapath.ts';
import { Op } from '../../src/datapath/program.ts';
import type { OfPort } from '../../src/flowtable/of-port.ts';
import type { Bridge, BundlePorts } from '../../src/ofproto/bridge.ts';
import { Switch } from '../../src/ofproto/switch.ts';
import type { Underlay } from '../../src/ofproto/underlay.ts';
import { type Translation, translate } from '../../src/ofproto/xlate/translate.ts';
import { keyOf } from '../../src/packet/extract.ts';
import { DP_WORDS, FLOW_WORDS } from '../../src/packet/key.ts';
import type { Logger, LogSource } from '../../src/util/logger.ts';
import { VirtualClock } from '../../src/util/virtual-clock.ts';

export const silent: Logger = {
  emer: () => {},
  err: () => {},
  warn: () => {},
  info: () => {},
  dbg: () => {},
  enabled: () => false,
};
const silentLogs: LogSource = { module: () => silent };

/** xorshift32 from a seed. */
export function random32(seed: number): () => number {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

export class Lab {
  readonly clock = new VirtualClock(1_000_000);
  readonly datapath = new InlineDatapath(this.clock);
  readonly events = new Map<string, number>();
  readonly switch: Switch;
  /** Frames that left, per datapath port: `port: hex`. */
  readonly sent: { port: number; frame: Uint8Array }[] = [];

  /** `underlay`: the switch builds tunnels' packets itself. */
  constructor(underlay?: Underlay) {
    this.switch = new Switch({
      datapath: this.datapath,
      clock: this.clock,
      logs: silentLogs,
      count: (event) => this.events.set(event, (this.events.get(event) ?? 0) + 1),
      random32: random32(99),
      yieldTurn: () => Promise.resolve(),
      ...(underlay === undefined ? {} : { underlay }),
    });
  }

  bridge(name: string): Bridge {
    return this.switch.addBridge({ name, datapathType: 'dummy' });
  }

  /** A dummy port and its bundle; datapath number = `number`. */
  async port(
    bridge: Bridge,
    name: string,
    number: number,
    settings: Omit<BundlePorts, 'ports'> = {},
  ): Promise<OfPort> {
    const portNo = number as PortNo;
    await this.datapath.addPort(portNo, name, { kind: 'dummy', mtu: 1500 });
    this.datapath.onTransmit(portNo, (frame) => this.sent.push({ port: number, frame }));
    const ofPort = bridge.addPort({ name, type: 'dummy', portNo, requestedOfPort: number });
    bridge.setBundle(name, { ports: [ofPort], ...settings });
    return ofPort;
  }

  patch(bridge: Bridge, name: string, peer: string): OfPort {
    const ofPort = bridge.addPort({ name, type: 'patch', portNo: null, patchPeer: peer });
    bridge.setBundle(name, { ports: [ofPort] });
    return ofPort;
  }

  inject(port: number, frame: Uint8Array): void {
    this.datapath.injectFrame(port as PortNo, frame);
  }

  /** Ports that a frame came out of, in order. */
  deliver(port: number, frame: Uint8Array): number[] {
    this.sent.length = 0;
    this.inject(port, frame);
    return this.sent.map((s) => s.port);
  }

  translate(port: number, frame: Uint8Array): Translation {
    return translate(this.switch, flowOf(port, frame));
  }

  flows(): string[] {
    return [...this.switch.cache.all()].map((u) => programText(u.program));
  }
}

export function flowOf(port: number, frame: Uint8Array): Uint32Array {
  const flow = new Uint32Array(FLOW_WORDS);
  flow.set(keyOf(frame, port).subarray(0, DP_WORDS));
  return flow;
}

/** Plain text of a program, written independently of the switch's own formatter. */
export function programText(program: Int32Array): string {
  const parts: string[] = [];
  for (let i = 0; i < program.length; i += program[i] >>> 8) {
    switch (program[i] & 0xff) {
      case Op.OUTPUT:
        parts.push(String(program[i + 1]));
        break;
      case Op.POP_VLAN:
        parts.push('pop_vlan');
        break;
      case Op.PUSH_VLAN: {
        const tpid = program[i + 1] >>> 16;
        const tci = program[i + 1] & 0xffff;
        const type = tpid === 0x8100 ? '' : `tpid=0x${tpid.toString(16)},`;
        parts.push(`push_vlan(${type}vid=${tci & 0xfff},pcp=${tci >>> 13})`);
        break;
      }
      case Op.DROP:
        parts.push('drop');
        break;
      default:
        parts.push(`op${program[i] & 0xff}`);
    }
  }
  return parts.join(',');
}

/** `50:54:00:00:00:01` as bytes. */
const macBytes = (mac: string): number[] => mac.split(':').map((b) => Number.parseInt(b, 16));

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';

/**
 * An Ethernet frame. Tags are `VID/PCP` or `88a8:VID/PCP`, outermost first, separated by spaces; `-` is none.
 */
export function frame(
  source: string,
  destination: string,
  tags = '-',
  ethType = 0x1234,
  payload: number[] = [],
): Uint8Array {
  const bytes = [...macBytes(destination), ...macBytes(source)];
  for (const tag of tags === '-' ? [] : tags.split(' ')) {
    const [, tpid, vid, pcp] = /^(?:(\w+):)?(\d+)\/(\d+)$/.exec(tag)!;
    const type = Number.parseInt(tpid ?? '8100', 16);
    const tci = (Number(pcp) << 13) | Number(vid);
    bytes.push(type >> 8, type & 255, tci >> 8, tci & 255);
  }
  bytes.push(ethType >> 8, ethType & 255, ...payload);
  while (bytes.length < 60) bytes.push(0);
  return Uint8Array.from(bytes);
}
