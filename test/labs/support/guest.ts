/** A qemu guest of a lab, driven through its serial console. Emulated (`-accel tcg`): it needs no /dev/kvm. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DONE, type GuestImage, READY } from './guest-image.ts';
import type { Background, Machine } from './machine.ts';

export interface GuestConfig {
  readonly name: string;
  readonly mac: string;
  readonly network: GuestNetwork;
}

type GuestNetwork =
  /** Name of the TAP that qemu opens; path, inside the machine, of what it runs for it. */
  | { readonly ifname: string; readonly script: string }
  /** Socket of a vhost-user port; properties of the device, such as `,csum=off`. */
  | { readonly vhostUser: string; readonly properties?: string };

const MEMORY_MB = 256;

/** qemu's arguments for the guest's network device. */
function networkArguments(network: GuestNetwork, mac: string): string {
  const device = (properties = '') =>
    `-device virtio-net-pci,netdev=net0,mac=${mac},romfile=${properties}`;
  if (!('vhostUser' in network))
    return `-netdev tap,id=net0,ifname=${network.ifname},script=${network.script},downscript=no ${device()}`;
  return [
    `-object memory-backend-memfd,id=ram,size=${MEMORY_MB}M,share=on -machine memory-backend=ram`,
    `-chardev socket,id=c0,path=${network.vhostUser},reconnect=1`,
    // Without MSI-X: qemu 7.2 ends by a segmentation fault where an emulated (not KVM) guest of vhost-user has it.
    `-netdev vhost-user,id=net0,chardev=c0 ${device(`,vectors=0${network.properties ?? ''}`)}`,
  ].join(' ');
}

export class Guest {
  readonly #console: Background;
  readonly #name: string;
  #seen = 0;

  private constructor(name: string, terminal: Background) {
    this.#name = name;
    this.#console = terminal;
  }

  /** Starts qemu; it opens the TAP and runs the script, or connects to the port, before the guest boots. Call booted() next. */
  static start(machine: Machine, image: GuestImage, config: GuestConfig): Guest {
    const command = [
      `qemu-system-x86_64 -accel tcg -m ${MEMORY_MB} -smp 1 -nodefaults -no-reboot -display none -serial stdio`,
      `-name ${config.name} -kernel ${image.kernel} -initrd ${image.initrd}`,
      '-append "console=ttyS0 quiet panic=1 tsc=unstable mitigations=off"',
      networkArguments(config.network, config.mac),
    ].join(' ');
    return new Guest(config.name, machine.start(command));
  }

  /** Resolves when the guest reads commands. */
  async booted(timeoutMs = 90_000): Promise<void> {
    await this.#marker(READY, timeoutMs);
  }

  /** Types a command line; resolves with what it printed and its exit status. */
  async run(
    command: string,
    timeoutMs = 30_000,
  ): Promise<{ readonly status: number; readonly output: string }> {
    this.#console.write(`${command}\n`);
    const text = await this.#marker(DONE, timeoutMs);
    const end = text.lastIndexOf(DONE);
    return { status: Number(text.slice(end + DONE.length).trim()), output: text.slice(0, end) };
  }

  /** Types a command line that must succeed; resolves with what it printed. */
  async sh(command: string, timeoutMs?: number): Promise<string> {
    const { status, output } = await this.run(command, timeoutMs);
    if (status !== 0)
      throw new Error(
        `${this.#name}: ${command}\nexit status ${status}\n${output}\n${this.console()}`,
      );
    return output;
  }

  /** All that the serial console has shown. */
  console(): string {
    return `--- console of ${this.#name}\n${this.#console.output()}`;
  }

  /** Switches the guest off and waits for qemu's end; the TAP goes with it. */
  async powerOff(): Promise<void> {
    this.#console.write('poweroff -f\n');
    await this.#console.ended;
  }

  async #marker(marker: string, timeoutMs: number): Promise<string> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const text = this.#console.output().slice(this.#seen);
      const at = text.indexOf(marker);
      const newline = at < 0 ? -1 : text.indexOf('\n', at);
      if (newline >= 0) {
        this.#seen += newline + 1;
        return text.slice(0, newline);
      }
      if (!this.#console.running()) throw new Error(`qemu has ended\n${this.console()}`);
      if (Date.now() > end) throw new Error(`no answer in ${timeoutMs} ms\n${this.console()}`);
      await sleep(50);
    }
  }
}
