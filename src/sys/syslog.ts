/**
 * The system's log: each line a datagram, to a socket of the file system (unix(7), as syslog(3) does it) or by UDP. The forms are those of
 * ovs-vswitchd(8), --syslog-method: `libc` adds time and name as syslog(3), the others send what the pattern makes; a --syslog-target gets RFC
 * 5424. Nothing waits and nothing fails: a log that is not there, or full, loses lines, which are counted.
 */
import { createSocket, type Socket } from 'node:dgram';
import { addressOf, close, connect, send, socket } from './libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** sun_path of unix(7), without its final NUL. */
const MAX_PATH_BYTES = 107;
/** Where syslog(3) sends. */
const DEV_LOG = '/dev/log';
/** IANA's port for syslog over UDP. */
const SYSLOG_PORT = 514;
/** Lines that wait for UDP, whose socket is not ready at once. */
const MAX_WAITING = 1000;

/** A line of the log on its way. */
export interface SyslogLine {
  /** RFC 5424 PRI. */
  readonly priority: number;
  /** As the pattern of the destination makes it. */
  readonly line: string;
  readonly module: string;
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly wallMs: number;
}

interface Origin {
  readonly application: string;
  readonly hostname: string;
  readonly pid: number;
}

export interface Syslog {
  /** Lines that nobody took. */
  readonly lost: number;
  write(line: SyslogLine): void;
}

interface Sender {
  lost: number;
  send(bytes: Uint8Array): void;
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const two = (n: number): string => String(n).padStart(2, '0');

/** `Nov  2 13:04:05`, local time (RFC 3164, 4.1.2). */
function timestamp(wallMs: number): string {
  const t = new Date(wallMs);
  const day = String(t.getDate()).padStart(2, ' ');
  return `${MONTHS[t.getMonth()]} ${day} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

class UnixSender implements Sender {
  lost = 0;
  private readonly name: Uint8Array;
  private fd = -1;

  /** Throws a RangeError for a path that does not fit. */
  constructor(path: string) {
    const bytes = new TextEncoder().encode(path);
    if (bytes.length > MAX_PATH_BYTES) throw new RangeError(`${path}: too long for a socket`);
    // struct sockaddr_un: the family as u16 of this machine, the path, NUL.
    this.name = new Uint8Array(2 + bytes.length + 1);
    new Uint16Array(this.name.buffer, 0, 1)[0] = AF_UNIX;
    this.name.set(bytes, 2);
  }

  send(bytes: Uint8Array): void {
    if (this.fd >= 0 && this.put(bytes)) return;
    // The log's daemon was started anew, or is there only now.
    if (this.fd >= 0) close(this.fd);
    this.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const isConnected = connect(this.fd, addressOf(this.name), this.name.length) >= 0;
    if (isConnected && this.put(bytes)) return;
    this.lost++;
    close(this.fd);
    this.fd = -1;
  }

  private put(bytes: Uint8Array): boolean {
    return send(this.fd, addressOf(bytes), bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
  }
}

class UdpSender implements Sender {
  lost = 0;
  private readonly socket: Socket;
  private readonly to: { readonly host: string; readonly port: number };
  private waiting = 0;

  constructor(host: string, port: number) {
    this.socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    this.socket.on('error', () => this.lost++);
    this.socket.unref();
    this.to = { host, port };
  }

  send(bytes: Uint8Array): void {
    if (this.waiting >= MAX_WAITING) {
      this.lost++;
      return;
    }
    this.waiting++;
    this.socket.send(bytes, this.to.port, this.to.host, (error) => {
      this.waiting--;
      if (error !== null) this.lost++;
    });
  }
}

/** `HOST:PORT`, `HOST`, `[IPV6]:PORT`. */
function udpSender(text: string): UdpSender | null {
  const found = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text);
  if (found === null) return null;
  return new UdpSender(found[1] ?? found[2], Number(found[3] ?? SYSLOG_PORT));
}

const NOWHERE: Sender = { lost: 0, send: () => {} };

/** Null for a method that is none. */
function senderOf(method: string): Sender | null {
  if (method === 'null') return NOWHERE;
  if (method === 'libc') return new UnixSender(DEV_LOG);
  const [, kind, rest = ''] = /^(unix|udp):(.+)$/.exec(method) ?? [];
  if (kind === 'unix') return new UnixSender(rest);
  return kind === 'udp' ? udpSender(rest) : null;
}

/** The log of a method and, besides, of a --syslog-target; an error text for ones that are not understood. */
export function openSyslog(
  method: string,
  target: string | undefined,
  origin: Origin,
): Syslog | string {
  const { application, hostname, pid } = origin;
  const main = senderOf(method);
  if (main === null) return `unsupported syslog method '${method}'`;
  const second = target === undefined ? NOWHERE : udpSender(target);
  if (second === null) return `${target}: bad syslog target`;
  const encoder = new TextEncoder();
  return {
    get lost() {
      return main.lost + second.lost;
    },
    write: ({ priority, line, module, text, wallMs }) => {
      if (main !== NOWHERE) {
        const head = method === 'libc' ? `${timestamp(wallMs)} ${application}: ` : '';
        main.send(encoder.encode(`<${priority}>${head}${line}`));
      }
      if (second !== NOWHERE) {
        const time = new Date(wallMs).toISOString();
        const head = `1 ${time} ${hostname} ${application} ${pid} ${module} - \ufeff`;
        second.send(encoder.encode(`<${priority}>${head}${text}`));
      }
    },
  };
}
