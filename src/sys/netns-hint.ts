/** Why a device is missing: it lies in a named network namespace, or its name is nearly that of another. */
import { NETNS_DIRECTORY, namespaceOf } from './netns.ts';

export interface MissingDeviceOptions {
  /** Names of the devices that do exist here. */
  existing: Iterable<string>;
  /** Where `ip netns` keeps its names. */
  netnsDirectory?: string;
}

/** The text for an Interface's `error` column, as specific as can be found out. */
export function describeMissingDevice(name: string, options: MissingDeviceOptions): string {
  const base = `could not open network device ${name} (No such device)`;
  const namespace = namespaceOf(name, options.netnsDirectory ?? NETNS_DIRECTORY);
  if (namespace !== undefined) return `${base}; it is in network namespace "${namespace}"`;
  const near = nearestName(name, options.existing);
  return near === undefined ? base : `${base}; did you mean ${near}?`;
}

/** The existing name that differs least, by at most two edits and by less than half of its characters. */
export function nearestName(name: string, existing: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(name.length / 2));
  for (const other of existing) {
    if (other === 'lo' || Math.abs(other.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name, other);
    if (distance > 0 && distance < bestDistance) {
      best = other;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions and replacements that lead from one to the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
