/** What a command of the client is, and what it is given to work with. */
import type { OfVersion } from '../../ofproto/codec/versions.ts';
import type { PortNames } from './names.ts';
import type { OfctlOptions } from './options.ts';
import type { Session } from './session.ts';

export interface Shell {
  readonly options: OfctlOptions;
  /** Text with its line ends, to standard output. */
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  /** A line of the log, which goes where complaints go. */
  readonly log: (module: string, level: string, text: string) => void;
  /** A connection that is closed when the command is done. `version`: what is spoken unless the user says -O. */
  readonly open: (target: string, version?: OfVersion) => Promise<Session>;
  readonly snoop: (target: string) => Promise<Session>;
  /** Names that arguments may use; those of tables only where `texts` use some. */
  readonly namesToAccept: (session: Session, texts?: readonly string[]) => Promise<PortNames>;
  /** Names to print. */
  readonly namesToShow: (session: Session) => Promise<PortNames>;
  /** Lines of a file, `-` for standard input. Throws OfctlError. */
  readonly readLines: (file: string) => readonly string[];
  /** The same as it is. */
  readonly readBytes: (file: string) => Uint8Array;
}

export interface Command {
  /** Behind the command's name. */
  readonly least: number;
  readonly most: number;
  /** Arguments as --help shows them. */
  readonly usage: string;
  /** Gives the exit status, 0 when nothing is returned. */
  readonly run: (shell: Shell, args: readonly string[]) => Promise<number | undefined>;
}

/** Commands of one kind by their names. */
export type CommandTable = Readonly<Record<string, Command>>;
