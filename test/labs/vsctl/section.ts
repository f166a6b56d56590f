/** What a section of the comparison is: command lines that run in their order on an empty database. */
export interface Section {
  readonly title: string;
  /** One line a command line, without the program. Words end at blanks outside of single quotes; `''` is an empty word. */
  readonly lines: string;
}

export const linesOf = (section: Section): readonly string[] => section.lines.trim().split('\n');

/** Words of a line. Quotes within a word belong to it only where they enclose it. */
export const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
