/** Bytes as ovs-ofctl shows messages that it cannot read: 16 a line, in hexadecimal and as text. */
const PER_LINE = 16;

const two = (byte: number): string => byte.toString(16).padStart(2, '0');

export function hexdump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += PER_LINE) {
    const line = Array.from(bytes.subarray(at, at + PER_LINE));
    let text = '';
    for (let i = 0; i < PER_LINE; i++) {
      const separator = i === PER_LINE / 2 - 1 ? '-' : ' ';
      text += i < line.length ? `${two(line[i])}${separator}` : '   ';
    }
    const shown = line.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('');
    const offset = at.toString(16).padStart(8, '0');
    lines.push(`${offset}  ${text}|${shown.padEnd(PER_LINE)}|\n`);
  }
  return lines.join('');
}
