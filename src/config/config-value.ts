/**
 * Numbers, booleans and addresses inside the string maps of the database (other_config, options).
 *
 * Whatever cannot be read counts as absent. The rules are the ones of ovs-vswitchd.conf.db(5): a boolean
 * differs from its default only by the exact other word; a number is the whole string, decimal.
 */
import type { StringMap } from './wanted.ts';

/** Own properties only, so that no key of a user can reach a prototype. */
export const stringMap = (map: ReadonlyMap<string, string>): StringMap => Object.fromEntries(map);

export const text = (map: StringMap, key: string): string | null =>
  Object.hasOwn(map, key) ? map[key] : null;

/** The value of a key that holds a decimal integer of 32 bits; null when it is absent or junk. */
export function integer(map: StringMap, key: string): number | null {
  const found = text(map, key);
  if (found === null || !/^\s*[+-]?\d+$/.test(found)) return null;
  const value = Number(found);
  return value >= -0x80000000 && value <= 0x7fffffff ? value : null;
}

export function boolean(map: StringMap, key: string, otherwise: boolean): boolean {
  const found = text(map, key);
  return otherwise ? found !== 'false' : found === 'true';
}

export const clamp = (value: number, low: number, high: number): number =>
  Math.min(Math.max(value, low), high);

/** An Ethernet address xx:xx:xx:xx:xx:xx as 48 bits, null for anything else. */
export function ethernetAddress(address: string | null): bigint | null {
  if (address === null || !/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(address)) return null;
  return address.split(':').reduce((bits, byte) => (bits << 8n) | BigInt(`0x${byte}`), 0n);
}

/** The text form of 48 bits. */
export const ethernetText = (address: bigint): string =>
  address
    .toString(16)
    .padStart(12, '0')
    .replace(/(..)(?=.)/g, '$1:');

export const isMulticast = (address: bigint): boolean => ((address >> 40n) & 1n) === 1n;

/** other_config:datapath-id: 0x and up to 16 hex digits, or exactly 16 of them; not zero. */
export function datapathId(id: string | null): bigint | null {
  if (id === null || !/^(0x[0-9a-f]{1,16}|[0-9a-f]{16})$/i.test(id)) return null;
  const value = BigInt(id.startsWith('0x') || id.startsWith('0X') ? id : `0x${id}`);
  return value === 0n ? null : value;
}
