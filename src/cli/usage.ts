/** The texts of --help and --version. */
import { PROGRAM_NAME, PROJECT_NAME, PROJECT_VERSION, VERSION_LINE } from '../util/version.ts';
import type { Paths } from './options.ts';

/** Scripts read the first line (`(Open vSwitch) X`), people the second. */
export const versionText = (): string => `${VERSION_LINE}\n${PROJECT_NAME} ${PROJECT_VERSION}\n`;

export function helpText(paths: Paths): string {
  return `${PROGRAM_NAME}: ${PROJECT_NAME}, a userspace virtual switch that takes Open vSwitch's configuration
usage: ${PROGRAM_NAME} [OPTIONS] [DATABASE]
where DATABASE is a socket on which ovsdb-server is listening.
Without DATABASE, the one that answers on ${paths.runDir}/db.sock is used;
if none does, this program serves ${paths.dbDir}/conf.db there itself.

Ways to reach DATABASE:
  unix:FILE               Unix domain socket named FILE
  tcp:HOST:PORT           PORT at remote HOST
  ssl:HOST:PORT           SSL PORT at remote HOST

Keys and certificates (for SSL):
  -p, --private-key=FILE  private key
  -c, --certificate=FILE  certificate of the private key
  -C, --ca-cert=FILE      certificate of the peer's authority
  --bootstrap-ca-cert=FILE, --peer-ca-cert=FILE, --ssl-protocols=PROTOS,
  --ssl-ciphers=CIPHERS   accepted, without effect

As a daemon:
  --detach                run in the background
  --monitor               restart the daemon when it crashes
  --user=USER[:GROUP]     refused: see PRIVILEGES in ts-vswitchd(8)
  --no-chdir              stay in the current directory
  --pidfile[=FILE]        create a pidfile (default: ${paths.runDir}/${PROGRAM_NAME}.pid)
  --overwrite-pidfile     with --pidfile, start even if one is in use

Logging:
  -vSPEC, --verbose=SPEC  set logging levels
  -v, --verbose           log everything
  --log-file[=FILE]       log to FILE
                          (default: ${paths.logDir}/${PROGRAM_NAME}.log)
  --syslog-method=(libc|unix:FILE|udp:IP:PORT|null)
                          how to reach the system's log (default: libc)
  --syslog-target=HOST:PORT  log there by UDP, too

For tests:
  --enable-dummy[=system|override]  devices and datapaths in memory
  --disable-system, --disable-system-route, --dummy-numa=CORES
                          accepted, without effect

Others:
  --unixctl=SOCKET        control socket (default: ${paths.runDir}/${PROGRAM_NAME}.PID.ctl)
  --mlockall              accepted; memory is not locked
  --no-self-confinement   accepted; there is none
  --dpdk[=ARGUMENTS]      refused; there is none
  --no-jit                look packets up by plain loops, make no code for them
  -h, --help              show this text
  -V, --version           show versions
`;
}
