/**
 * Datapath port numbers: the lowest free one, from 1 on. Number 0 is the datapath's own port in Open vSwitch, and is never given.
 *
 * A dummy datapath numbers ports by their names, as tests of Open vSwitch expect: `p3` gets 3, `br0` gets 100, if free.
 */
import type { PortNo } from '../datapath/datapath.ts';

const MAX_PORT_NO = 65_535;
const FIRST_DUMMY_BRIDGE = 100;

export class PortAllocator {
  private readonly used = new Set<number>();
  private readonly byName: boolean;

  constructor(byName: boolean) {
    this.byName = byName;
  }

  /** Throws RangeError when all numbers are taken. */
  allocate(name: string): PortNo {
    const named = this.byName ? namedNumber(name) : null;
    if (named !== null && !this.used.has(named)) return this.take(named);
    for (let n = 1; n <= MAX_PORT_NO; n++) if (!this.used.has(n)) return this.take(n);
    throw new RangeError(`${name}: no datapath port number left`);
  }

  release(port: PortNo): void {
    this.used.delete(port);
  }

  private take(n: number): PortNo {
    this.used.add(n);
    return n as PortNo;
  }
}

/** The number in a name, plus 100 for bridges; null when the name has none that fits. */
function namedNumber(name: string): number | null {
  const digits = /\d+/.exec(name);
  if (digits === null) return null;
  const number = Number(digits[0]) + (name.startsWith('br') ? FIRST_DUMMY_BRIDGE : 0);
  return number > 0 && number <= MAX_PORT_NO ? number : null;
}
