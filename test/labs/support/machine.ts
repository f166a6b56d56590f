/**
 * A lab machine: a private network, mount and process namespace with its own /run, /etc/openvswitch and
 * /run/netns, in which the commands of a lab run letter for letter (`ip netns add r0`, plain `ovs-vsctl`)
 * without touching the real machine.
 *
 * Its first process is a shell that only reaps; when it is killed, the kernel ends everything that was
 * started inside, and all interfaces go with the network namespace. A lab can therefore not leave anything
 * behind, however it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Outcome of a command that has ended. `status` is 128 + signal number when a signal ended it. */
interface Outcome {
  readonly command: string;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that is still running inside a machine. */
export interface Background {
  /** Everything printed so far, both streams in the order in which they came. */
  output(): string;
  /** Writes to its standard input. */
  write(text: string): void;
  /** Ends its standard input. */
  end(): void;
  /** True while it runs. */
  running(): boolean;
  /** Resolves with the exit status when it has ended. */
  readonly ended: Promise<number>;
}

const INIT = `
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/openvswitch /run/lock
for dir in /etc/openvswitch /var/lib/openvswitch /var/log/openvswitch /var/lib/misc; do
  if [ -d $dir ]; then mount -t tmpfs -o mode=755 tmpfs $dir; fi
done
mount -t sysfs sysfs /sys || true
ip link set lo up
echo machine-is-up
while :; do sleep 3600 & wait $! || true; done
`;

/** A failed command, with everything that it printed. */
class CommandError extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome, expectation: string) {
    super(
      `${expectation}: ${outcome.command}\nexit status ${outcome.status}\n${outcome.stdout}${outcome.stderr}`,
    );
    this.outcome = outcome;
  }
}

export class Machine {
  readonly #outer: ChildProcess;
  /** Process id, outside, of the machine's first process. */
  readonly #initPid: number;
  readonly #transcript: string[] = [];
  readonly #verbose: boolean;

  private constructor(outer: ChildProcess, initPid: number, verbose: boolean) {
    this.#outer = outer;
    this.#initPid = initPid;
    this.#verbose = verbose;
  }

  /** Process id, outside, of its first process: what names its namespaces. */
  get pid(): number {
    return this.#initPid;
  }

  /** Boots a machine. Needs root (CAP_SYS_ADMIN); rejects with what unshare said otherwise. */
  static async boot(options: { verbose?: boolean } = {}): Promise<Machine> {
    const flags = ['--fork', '--pid', '--mount-proc', '--mount', '--net', '--kill-child'];
    const outer = spawn('unshare', [...flags, 'sh', '-c', INIT], {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let printed = '';
    const up = new Promise<void>((resolve, reject) => {
      outer.once('error', reject);
      outer.once('exit', (code) =>
        reject(new Error(`the lab machine did not boot (status ${code}; root?): ${printed}`)),
      );
      outer.stderr?.on('data', (chunk) => {
        printed += String(chunk);
      });
      outer.stdout?.on('data', (chunk) => {
        printed += String(chunk);
        if (printed.includes('machine-is-up')) resolve();
      });
    });
    await up;
    const children = readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8');
    const verbose = options.verbose ?? process.env.LAB_VERBOSE === '1';
    return new Machine(outer, Number(children.trim().split(' ')[0]), verbose);
  }

  #nsenter(command: string): ChildProcess {
    // --root and --wd: entering a mount namespace would otherwise leave a chroot that the caller lives in.
    const target = ['-t', String(this.#initPid), '-m', '-n', '-p', '--root', '--wd'];
    return spawn('nsenter', [...target, '--', 'sh', '-c', command], {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
  }

  #note(text: string): void {
    this.#transcript.push(text);
    if (this.#verbose) process.stderr.write(`${text}\n`);
  }

  /** Everything typed and printed so far, as a terminal would show it. */
  transcript(): string {
    return this.#transcript.join('\n');
  }

  /** Runs a shell command to its end. Never rejects because of the command; a timeout kills it (status 137). */
  async run(command: string, options: { timeoutMs?: number; input?: string } = {}) {
    const child = this.#nsenter(command);
    const timeoutMs = options.timeoutMs ?? 30_000;
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stderr?.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
    const timer = setTimeout(() => killGroup(child), timeoutMs);
    const status = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      // 'exit', not 'close': a daemon that the command left behind may hold the pipes for ever.
      child.once('exit', (code) => setTimeout(() => resolve(code ?? 137), 5));
    });
    clearTimeout(timer);
    child.stdout?.destroy();
    child.stderr?.destroy();
    const outcome: Outcome = { command, status, stdout, stderr };
    const failed = status === 0 ? '' : `[exit status ${status}]`;
    this.#note(`# ${command}\n${shortened(stdout)}${shortened(stderr)}${failed}`.trimEnd());
    return outcome;
  }

  /** Runs a shell command that must succeed; returns what it printed on standard output. */
  async sh(command: string, options: { timeoutMs?: number; input?: string } = {}): Promise<string> {
    const outcome = await this.run(command, options);
    if (outcome.status !== 0) throw new CommandError(outcome, 'this command failed');
    return outcome.stdout;
  }

  /** Runs a shell command that must fail; returns what it printed on both streams. */
  async fails(command: string, options: { timeoutMs?: number } = {}): Promise<string> {
    const outcome = await this.run(command, options);
    if (outcome.status === 0) throw new CommandError(outcome, 'this command should have failed');
    return outcome.stdout + outcome.stderr;
  }

  /** Starts a command that stays in the foreground of its own session, such as a daemon or a server. */
  start(command: string): Background {
    this.#note(`# ${command} &`);
    const child = this.#nsenter(`exec ${command}`);
    let printed = '';
    let running = true;
    const gather = (chunk: unknown): void => {
      printed = (printed + String(chunk)).slice(-1_000_000);
    };
    child.stdout?.on('data', gather);
    child.stderr?.on('data', gather);
    child.stdin?.on('error', () => undefined);
    const ended = new Promise<number>((resolve) => {
      child.once('error', (error) => {
        gather(error);
        running = false;
        resolve(127);
      });
      child.once('exit', (code) => {
        running = false;
        resolve(code ?? 137);
      });
    });
    return {
      output: () => printed,
      write: (text) => {
        child.stdin?.write(text);
      },
      end: () => {
        child.stdin?.end();
      },
      running: () => running,
      ended,
    };
  }

  /** Repeats a command until it succeeds and `accept` likes its output. Rejects after `timeoutMs`. */
  async until(
    command: string,
    accept: (stdout: string) => boolean = () => true,
    timeoutMs = 10_000,
  ): Promise<string> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const outcome = await this.run(command);
      if (outcome.status === 0 && accept(outcome.stdout)) return outcome.stdout;
      if (Date.now() > end) throw new CommandError(outcome, `not within ${timeoutMs} ms`);
      await sleep(100);
    }
  }

  /** Ends everything inside and forgets the machine. */
  async shutdown(): Promise<void> {
    if (this.#outer.exitCode !== null || this.#outer.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#outer.once('exit', resolve));
    process.kill(this.#initPid, 'SIGKILL');
    await gone;
  }
}

/** A report of thousands of characters (iperf3's JSON) would bury the transcript. */
const shortened = (text: string): string =>
  text.length > 3000 ? `${text.slice(0, 300)} [...]\n` : text;

const killGroup = (child: ChildProcess): void => {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
};
