/**
 * A small Linux guest made from Debian's packages: the cloud kernel (downloaded and unpacked, never
 * installed) and an initial RAM disk of busybox, the virtio modules and one init script.
 *
 * The init script reads commands from the serial console and answers each with a marker and its exit
 * status, so that a lab types into a guest the way a person does.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { inRepository } from './repository.ts';

const CACHE = inRepository('.cache/guest');
const BUSYBOX = '/bin/busybox';

/** Paths of what qemu boots. */
export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
}

/** Says that the guest has booted and reads commands. */
export const READY = '@@guest-ready';
/** Stands before the exit status of every command. */
export const DONE = '@@done';

const INIT = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /tmp /root /run
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module; done
ip link set lo up
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo
echo ${READY}
while read -r line; do
  eval "$line"
  echo "${DONE} $?"
done
poweroff -f
`;

const LEASE = `#!/bin/sh
if [ "$1" = bound ] || [ "$1" = renew ]; then
  ip addr flush dev $interface
  ip addr add $ip/\${mask:-24} dev $interface
  [ -n "$router" ] && ip route add default via $router
  echo "leased $ip from $serverid"
fi
exit 0
`;

/** Makes the image, or finds the one made before. Throws with what is missing (network, busybox-static). */
export const guestImage = (): GuestImage => {
  mkdirSync(CACHE, { recursive: true });
  const tree = kernelTree();
  const kernel = join(tree, 'boot', only(join(tree, 'boot'), /^vmlinuz-/));
  const release = basename(kernel).slice('vmlinuz-'.length);
  const initrd = join(CACHE, 'initrd.gz');
  writeFileSync(initrd, gzipSync(cpio(files(join(tree, 'lib/modules', release))), { level: 1 }));
  return { kernel, initrd };
};

/** Unpacks the package that linux-image-cloud-amd64 points to. */
const kernelTree = (): string => {
  const done = join(CACHE, 'kernel');
  if (existsSync(join(done, 'boot'))) return done;
  const depends = execFileSync('apt-cache', ['depends', 'linux-image-cloud-amd64'], {
    encoding: 'utf8',
  });
  const name = depends.match(/Depends: (linux-image-\S+)/)?.[1];
  if (name === undefined)
    throw new Error('apt knows no linux-image-cloud-amd64: run apt-get update');
  execFileSync('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', name], {
    cwd: CACHE,
  });
  const unpacked = join(CACHE, `unpack-${process.pid}`);
  execFileSync('dpkg', ['-x', join(CACHE, only(CACHE, /^linux-image-.*\.deb$/)), unpacked]);
  renameSync(unpacked, done);
  return done;
};

const only = (directory: string, pattern: RegExp): string => {
  const found = readdirSync(directory).filter((name) => pattern.test(name));
  if (found[0] === undefined) throw new Error(`nothing like ${pattern} in ${directory}`);
  return found[0];
};

interface CpioFile {
  readonly name: string;
  readonly mode: number;
  readonly bytes: Buffer;
}

const files = (modulesDir: string): CpioFile[] => {
  if (!existsSync(BUSYBOX)) throw new Error('busybox is missing: apt-get install busybox-static');
  const modules = loadOrder(modulesDir, ['virtio_pci', 'virtio_net']);
  const directory = (name: string): CpioFile => ({ name, mode: 0o040755, bytes: Buffer.alloc(0) });
  const program = (name: string, text: string): CpioFile => ({
    name,
    mode: 0o100755,
    bytes: Buffer.from(text),
  });
  return [
    directory('bin'),
    directory('modules'),
    { name: 'bin/busybox', mode: 0o100755, bytes: readFileSync(BUSYBOX) },
    program('init', INIT),
    program('lease', LEASE),
    program('modules/order', modules.map((path) => basename(path)).join('\n')),
    ...modules.map((path) => ({
      name: `modules/${basename(path)}`,
      mode: 0o100644,
      bytes: readFileSync(path),
    })),
  ];
};

/**
 * Module files in the order in which insmod takes them. The package carries no modules.dep (depmod runs when
 * it is installed), so the `depends=` entry of each module's .modinfo section is read instead.
 */
const loadOrder = (modulesDir: string, wanted: readonly string[]): string[] => {
  const paths = new Map<string, string>();
  for (const entry of readdirSync(modulesDir, { recursive: true, encoding: 'utf8' }))
    if (entry.endsWith('.ko'))
      paths.set(basename(entry, '.ko').replaceAll('-', '_'), join(modulesDir, entry));
  const order: string[] = [];
  const visit = (name: string): void => {
    const path = paths.get(name);
    if (path === undefined || order.includes(path)) return; // built in, or loaded before
    const info = readFileSync(path).toString('latin1');
    const depends = info.match(/\0depends=([\w,-]*)\0/)?.[1] ?? '';
    for (const other of depends.split(',')) visit(other.replaceAll('-', '_'));
    order.push(path);
  };
  for (const name of wanted) visit(name);
  return order;
};

/** A "newc" archive: 110 byte header in hexadecimal text, name, data, each padded to 4 bytes — cpio(5). */
const cpio = (entries: readonly CpioFile[]): Buffer => {
  const parts: Buffer[] = [];
  const padding = (bytes: number): Buffer => Buffer.alloc((4 - (bytes % 4)) % 4);
  const append = (inode: number, entry: CpioFile): void => {
    const fields = [
      inode,
      entry.mode,
      0,
      0,
      1,
      0,
      entry.bytes.length,
      0,
      0,
      0,
      0,
      entry.name.length + 1,
      0,
    ];
    const hex = fields.map((value) => value.toString(16).padStart(8, '0')).join('');
    const head = Buffer.from(`070701${hex}${entry.name}\0`, 'latin1');
    parts.push(head, padding(head.length), entry.bytes, padding(entry.bytes.length));
  };
  entries.forEach((entry, index) => {
    append(index + 1, entry);
  });
  append(0, { name: 'TRAILER!!!', mode: 0, bytes: Buffer.alloc(0) });
  return Buffer.concat(parts);
};
