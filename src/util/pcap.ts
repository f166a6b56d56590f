/**
 * A capture file being written: classic pcap, microseconds, Ethernet (pcap-savefile(5)).
 *
 * Written synchronously, a record a frame: it serves dummy ports under test, which read the file right after a command.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Clock } from './clock.ts';

const SNAPLEN = 262_144;
const LINKTYPE_ETHERNET = 1;

export class PcapWriter {
  private readonly fd: number;
  private readonly clock: Clock;

  /** Creates or truncates the file. Throws the file system's error. */
  constructor(path: string, clock: Clock) {
    this.clock = clock;
    this.fd = openSync(path, 'w', 0o644);
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(SNAPLEN, 16);
    header.writeUInt32LE(LINKTYPE_ETHERNET, 20);
    writeSync(this.fd, header);
  }

  write(frame: Uint8Array): void {
    const now = this.clock.wall();
    const record = Buffer.alloc(16 + frame.length);
    record.writeUInt32LE(Math.floor(now / 1000), 0);
    record.writeUInt32LE((now % 1000) * 1000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    record.set(frame, 16);
    writeSync(this.fd, record);
  }

  close(): void {
    closeSync(this.fd);
  }
}
