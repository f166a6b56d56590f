/** Frames that no well-behaved host would send, put on the wire by trafgen from inside a host. */
import type { Machine } from './machine.ts';

/** Sends `count` copies of a frame given in hexadecimal, spaces allowed; `padTo` fills it up with 0x5a bytes. */
export const inject = async (
  machine: Machine,
  host: string,
  frame: { hex: string; padTo?: number; count?: number },
): Promise<void> => {
  const bytes = frame.hex.replaceAll(/\s/g, '').match(/../g) ?? [];
  const items = bytes.map((byte) => `0x${byte}`);
  const missing = (frame.padTo ?? 0) - bytes.length;
  if (missing > 0) items.push(`fill(0x5a, ${missing})`);
  await machine.sh(
    `ip netns exec ${host} trafgen --dev eth0 --conf - --jumbo-support --qdisc-path --no-sock-mem -C -P 1 -n ${frame.count ?? 10}`,
    { input: `{ ${items.join(', ')} }\n` },
  );
};
