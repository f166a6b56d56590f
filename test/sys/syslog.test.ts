import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSyslog, type Syslog } from '../../src/sys/syslog.ts';
import { RealClock } from '../../src/util/real-clock.ts';
import { Vlog } from '../../src/util/vlog.ts';

const ORIGIN = { application: 'ovs-vswitchd', hostname: 'lab', pid: 7, subprogram: '' };

const open = (method: string, target?: string): Syslog => {
  const log = openSyslog(method, target, ORIGIN);
  if (typeof log === 'string') throw new Error(log);
  return log;
};

const vlogOf = (log: Syslog): Vlog =>
  new Vlog({
    clock: new RealClock(),
    origin: ORIGIN,
    console: () => {},
    syslog: (line) => log.write(line),
  });

/** Node has no datagrams on sockets of the file system. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("ready", flush=True)
for i in range(2): print(s.recv(9999).decode(), flush=True)
`;

describe("the system's log", () => {
  it('gets lines by a socket of the file system, once there is one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsv-syslog-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'log');
    const log = open(`unix:${path}`);
    const vlog = vlogOf(log);
    vlog.module('bridge').warn('nobody hears this');
    expect(log.lost).toBe(1);
    const receiver = spawn('/usr/bin/python3', ['-c', RECEIVER, path]);
    let told = '';
    receiver.stdout.on('data', (chunk) => {
      told += String(chunk);
    });
    await once(receiver.stdout, 'data');
    vlog.module('bridge').warn('one');
    vlog.set('FACILITY:local3');
    vlog.module('vlog').err('two');
    await once(receiver, 'exit');
    expect(told).toBe('ready\n<28>ovs|00002|bridge|WARN|one\n<155>ovs|00003|vlog|ERR|two\n');
    expect(log.lost).toBe(1);
  });

  it('gets lines by UDP, and a target beside it gets RFC 5424', async () => {
    const server = createSocket('udp4');
    onTestFinished(() => void server.close());
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const to = `127.0.0.1:${server.address().port}`;
    const heard: string[] = [];
    const both = new Promise<void>((resolve) => {
      server.on('message', (bytes) => {
        if (heard.push(bytes.toString()) === 2) resolve();
      });
    });
    vlogOf(open(`udp:${to}`, to))
      .module('bridge')
      .info('hello');
    await both;
    heard.sort();
    expect(heard[1]).toBe('<29>ovs|00001|bridge|INFO|hello');
    expect(heard[0]).toMatch(
      /^<29>1 \d{4}-\d\d-\d\dT[\d:.]+Z lab ovs-vswitchd 7 bridge - \ufeffhello$/,
    );
  });

  it('refuses what it does not know', () => {
    expect(openSyslog('foo', undefined, ORIGIN)).toBe("unsupported syslog method 'foo'");
    expect(openSyslog('udp:', undefined, ORIGIN)).toBe("unsupported syslog method 'udp:'");
    expect(openSyslog('null', ':', ORIGIN)).toBe(':: bad syslog target');
    const nowhere = open('null');
    vlogOf(nowhere).module('bridge').err('nothing');
    expect(nowhere.lost).toBe(0);
  });
});
