/**
 * Every name and version that the outside sees. Scripts parse `(Open vSwitch) X` of --version and the
 * `ovs_version` column, and decide by them which features exist; hence the version of the Open vSwitch whose
 * behaviour is followed stands first, and this project's own apart from it.
 */

/** Names the pidfile, the log file and the control socket: tools look for exactly this one. */
export const PROGRAM_NAME = 'ovs-vswitchd';
/** The same for the database that the daemon serves itself. */
export const DATABASE_PROGRAM = 'ovsdb-server';
/** The Open vSwitch release whose command line, texts and database columns are followed. */
export const OVS_VERSION = '3.1.0';
export const PROJECT_NAME = 'ts-vswitch';
export const PROJECT_VERSION = '0.1.0';

/** First line of --version and the whole answer to `ovs-appctl version`. */
export const versionLine = (program: string): string => `${program} (Open vSwitch) ${OVS_VERSION}`;
export const VERSION_LINE = versionLine(PROGRAM_NAME);
