/** What a section of the comparison is, and the versions that it may name. */

export const EVERY = [
  'OpenFlow10',
  'OpenFlow11',
  'OpenFlow12',
  'OpenFlow13',
  'OpenFlow14',
  'OpenFlow15',
] as const;
export type OfVersionName = (typeof EVERY)[number];

export const LATE: readonly OfVersionName[] = ['OpenFlow13', 'OpenFlow14', 'OpenFlow15'];

export interface Section {
  readonly title: string;
  /** 1.0, 1.3 and 1.4 when it is not said. */
  readonly versions?: readonly OfVersionName[];
  /** The outcomes differ from Open vSwitch's on purpose (ADR 9): only the two clients are compared. */
  readonly isOurs?: boolean;
  readonly lines: string;
}
