import { describe, expect, it } from 'vitest';
import { parseOptions, type RunOptions } from '../../src/cli/options.ts';
import { versionText } from '../../src/cli/usage.ts';

const run = (argv: string[], env: Record<string, string> = {}): RunOptions => {
  const options = parseOptions(argv, env, '/cwd');
  if (options.kind !== 'run') throw new Error(options.kind);
  return options;
};

describe('the command line', () => {
  it('takes what the start script of Debian passes', () => {
    const options = run(
      'unix:/x/db.sock -vconsole:emer -vsyslog:err -vfile:info --mlockall --no-chdir --log-file=/l/x.log --pidfile=/r/x.pid --detach --monitor'.split(
        ' ',
      ),
    );
    expect(options).toMatchObject({
      database: 'unix:/x/db.sock',
      verbosity: ['console:emer', 'syslog:err', 'file:info'],
      chdir: false,
      logFile: '/l/x.log',
      pidfile: '/r/x.pid',
      detach: true,
      monitor: true,
      mlockall: true,
    });
  });

  it('finds its places in the environment', () => {
    const options = run(['--pidfile', '--log-file', '--unixctl', 'c.ctl', '-v'], {
      OVS_RUNDIR: '/r',
      OVS_LOGDIR: '/l',
      OVS_SYSCONFDIR: '/s',
    });
    expect(options).toMatchObject({
      database: 'unix:/r/db.sock',
      pidfile: '/r/ovs-vswitchd.pid',
      logFile: '/l/ovs-vswitchd.log',
      unixctl: '/r/c.ctl',
      verbosity: [''],
      paths: { dbDir: '/s/openvswitch' },
    });
    expect(run([]).database).toBe('unix:/var/run/openvswitch/db.sock');
    expect(run([]).servesDatabase).toBe(true);
    expect(run(['unix:/x']).servesDatabase).toBe(false);
    expect(run([]).paths.dbDir).toBe('/etc/openvswitch');
  });

  it('takes --no-jit', () => {
    expect(run([]).generateCode).toBe(true);
    expect(run(['--no-jit']).generateCode).toBe(false);
  });

  it('knows prefixes, bundled letters and the end of options', () => {
    expect(run(['--det', '--enable-d=override', '-vbridge:dbg', '--', '-x'])).toMatchObject({
      detach: true,
      dummy: 'override',
      verbosity: ['bridge:dbg'],
      database: '-x',
    });
    expect(run(['-p', 'k', '-cc'])).toMatchObject({
      tls: { privateKey: '/cwd/k', certificate: '/cwd/c' },
    });
    expect(parseOptions(['-V'], {}, '/')).toEqual({ kind: 'version' });
    expect(parseOptions(['--he'], {}, '/')).toEqual({ kind: 'help' });
  });

  // Each text as ovs-vswitchd 3.1 prints it after its name.
  it.each([
    [['--foo'], "unrecognized option '--foo'"],
    [['--no'], "option '--no' is ambiguous; possibilities: '--no-self-confinement' '--no-chdir'"],
    [['--v'], "option '--v' is ambiguous; possibilities: '--version' '--verbose'"],
    [['-x'], "invalid option -- 'x'"],
    [['--unixctl'], "option '--unixctl' requires an argument"],
    [['--detach=3'], "option '--detach' doesn't allow an argument"],
    [['-p'], "option requires an argument -- 'p'"],
    [['--dpdk'], 'Using --dpdk to configure DPDK is not supported.'],
    [['a', 'b'], 'at most one non-option argument accepted; use --help for usage'],
    [['--enable-dummy=zz'], 'zz: unknown dummy level'],
  ])('%j is refused', (argv, text) => {
    expect(() => run(argv)).toThrow(text);
  });
});

it('prints versions so that awk finds the one of Open vSwitch', () => {
  const lines = versionText().split('\n');
  expect(lines[0]).toMatch(/^ovs-vswitchd \(Open vSwitch\) \d+\.\d+\.\d+$/);
  expect(lines[1]).toMatch(/^ts-vswitch \d/);
});
