/** OpenFlow versions by the number in their header. */
import type { OfVersion } from '../model.ts';

export const OF10 = 1;
export const OF11 = 2;
export const OF12 = 3;
export const OF13 = 4;
export const OF14 = 5;
export const OF15 = 6;

export type { OfVersion };

/** All, oldest first. */
export const OF_VERSIONS: readonly OfVersion[] = [OF10, OF11, OF12, OF13, OF14, OF15];

/** "OpenFlow13", as ovs-ofctl and the database's `protocols` spell it. */
export const versionName = (version: OfVersion): string => `OpenFlow1${version - 1}`;

export const versionByName = (name: string): OfVersion | undefined =>
  OF_VERSIONS.find((version) => versionName(version) === name);
