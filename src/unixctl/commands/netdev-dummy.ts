/** `netdev-dummy/*`: feed and steer devices in memory, for tests. */
import type { DummyNetdev, DummyNetdevs } from '../../config/netdev/dummy-netdev.ts';
import { composeFrame } from '../../packet/compose.ts';
import { parseFlow } from '../../packet/flow-parse.ts';
import { isIpv4, parseAddress } from '../../tunnels/tunnel-config.ts';
import { type Command, CommandError } from '../command.ts';

const ETHERNET_HEADER_BYTES = 14;
const UNKNOWN_NETDEV = 'Unknown Dummy Interface';

export function netdevDummyCommands(dummies: DummyNetdevs): Command[] {
  const find = (name: string, otherwise: string): DummyNetdev => {
    const device = dummies.get(name);
    if (device === undefined) throw new CommandError(otherwise);
    return device;
  };
  const many = Number.POSITIVE_INFINITY;
  return [
    {
      name: 'netdev-dummy/receive',
      usage: 'name [--qid queue_id] packet|flow [--len packet_len]',
      minArgs: 2,
      maxArgs: many,
      run: ([name, ...rest]) => {
        const device = find(name, 'no such dummy netdev');
        for (const frame of framesOf(rest)) device.receive(frame);
        return '';
      },
    },
    {
      name: 'netdev-dummy/set-admin-state',
      usage: '[netdev] up|down',
      minArgs: 1,
      maxArgs: 2,
      run: (args) => {
        const state = args[args.length - 1];
        if (state !== 'up' && state !== 'down') throw new CommandError('Invalid Admin State');
        const devices = args.length > 1 ? [find(args[0], UNKNOWN_NETDEV)] : [...dummies.all()];
        for (const device of devices) device.setAdminUp(state === 'up');
        return 'OK';
      },
    },
    {
      name: 'netdev-dummy/conn-state',
      usage: '[netdev]',
      minArgs: 0,
      maxArgs: 1,
      run: ([name]) => {
        const devices = name === undefined ? [...dummies.all()] : [find(name, UNKNOWN_NETDEV)];
        return devices.map((device) => `${device.name}: ${device.connection}\n`).join('');
      },
    },
    {
      name: 'netdev-dummy/ip4addr',
      usage: '[netdev] ipaddr/mask-prefix-len',
      minArgs: 2,
      maxArgs: 2,
      run: ([name, address]) => {
        const device = find(name, UNKNOWN_NETDEV);
        const [ip, bits] = address.split('/');
        const parsed = parseAddress(ip);
        if (parsed === undefined || !isIpv4(parsed) || !(Number(bits) >= 0 && Number(bits) <= 32)) {
          throw new CommandError('Invalid parameters');
        }
        device.addresses.push({ address: parsed, prefixBits: Number(bits) + 96 });
        return 'OK';
      },
    },
    {
      name: 'netdev-dummy/ip6addr',
      usage: '[netdev] ip6addr',
      minArgs: 2,
      maxArgs: 2,
      run: ([name, address]) => {
        const device = find(name, UNKNOWN_NETDEV);
        const [ip, bits] = address.split('/');
        const parsed = parseAddress(ip);
        if (parsed === undefined || isIpv4(parsed)) {
          throw new CommandError(`${address}: bad IPv6 address`);
        }
        device.addresses.push({ address: parsed, prefixBits: Number(bits ?? 128) });
        return 'OK';
      },
    },
  ];
}

/** The frames of `[--qid N] packet|flow [--len N] ...`, all valid or none. Throws CommandError. */
function framesOf(args: readonly string[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let i = 0;
  while (i < args.length) {
    if (args[i] === '--qid' && i + 1 < args.length) {
      if (!/^\d+$/.test(args[i + 1])) throw new CommandError('Invalid queue id.');
      i += 2;
      continue;
    }
    const text = args[i++];
    let length = 0;
    if (args[i] === '--len' && i + 1 < args.length) {
      length = Number(args[i + 1]);
      if (!Number.isInteger(length) || length < 0) throw new CommandError('too small packet len');
      i += 2;
    }
    frames.push(frameOf(text, length));
  }
  return frames;
}

/** A frame from hexadecimal digits, or else from a datapath flow. */
function frameOf(text: string, length: number): Uint8Array {
  const digits = text.replace(/\s/g, '');
  if (/^(?:[0-9a-f]{2})*$/i.test(digits) && digits.length >= 2 * ETHERNET_HEADER_BYTES) {
    return Uint8Array.from(Buffer.from(digits, 'hex'));
  }
  const flow = parseFlow(text);
  if (!flow.ok) throw new CommandError(flow.error);
  const composed = composeFrame(flow.key, length);
  if (!composed.ok) throw new CommandError(composed.error);
  return composed.frame;
}
