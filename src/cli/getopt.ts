/**
 * getopt_long(3): options anywhere on the line, `--name=value`, unambiguous prefixes, bundled letters, `--`.
 * Its error texts are kept to the letter, since users and tests know them.
 */

export type Takes = 'nothing' | 'optional' | 'required';

export interface OptionSpec {
  name: string;
  /** One letter, when there is a short form. */
  short?: string;
  takes: Takes;
}

export interface ParsedArgs {
  /** In the order given; `value` is undefined when none was. */
  options: { name: string; value: string | undefined }[];
  positional: string[];
}

/** A command line that cannot be obeyed; the message is printed after the program's name. */
export class UsageError extends Error {}

/** `stopsEarly`: everything from the first word that is no option is positional, as after `--`. Throws UsageError. */
export function getopt(
  specs: readonly OptionSpec[],
  argv: readonly string[],
  stopsEarly = false,
): ParsedArgs {
  const parsed: ParsedArgs = { options: [], positional: [] };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (word === '--') {
      parsed.positional.push(...argv.slice(i + 1));
      break;
    }
    if (word.startsWith('--')) {
      const equals = word.indexOf('=');
      const typed = equals < 0 ? word.slice(2) : word.slice(2, equals);
      let value = equals < 0 ? undefined : word.slice(equals + 1);
      const spec = byLongName(specs, typed, word);
      if (spec.takes === 'nothing' && value !== undefined) {
        throw new UsageError(`option '--${spec.name}' doesn't allow an argument`);
      }
      if (spec.takes === 'required' && value === undefined) {
        value = argv[++i];
        if (value === undefined)
          throw new UsageError(`option '--${spec.name}' requires an argument`);
      }
      parsed.options.push({ name: spec.name, value });
    } else if (word.startsWith('-') && word !== '-') {
      for (let at = 1; at < word.length; at++) {
        const letter = word[at];
        const spec = specs.find((each) => each.short === letter);
        if (spec === undefined) throw new UsageError(`invalid option -- '${letter}'`);
        let value: string | undefined;
        if (spec.takes !== 'nothing') {
          if (at + 1 < word.length) value = word.slice(at + 1);
          else if (spec.takes === 'required') {
            value = argv[++i];
            if (value === undefined) {
              throw new UsageError(`option requires an argument -- '${letter}'`);
            }
          }
          at = word.length;
        }
        parsed.options.push({ name: spec.name, value });
      }
    } else {
      parsed.positional.push(word);
      if (!stopsEarly) continue;
      parsed.positional.push(...argv.slice(i + 1));
      break;
    }
  }
  return parsed;
}

function byLongName(specs: readonly OptionSpec[], typed: string, word: string): OptionSpec {
  const exact = specs.find((spec) => spec.name === typed);
  if (exact !== undefined) return exact;
  const candidates = specs.filter((spec) => spec.name.startsWith(typed));
  if (candidates.length === 0) throw new UsageError(`unrecognized option '${word}'`);
  if (candidates.length > 1) {
    const list = candidates.map((spec) => ` '--${spec.name}'`).join('');
    throw new UsageError(`option '${word}' is ambiguous; possibilities:${list}`);
  }
  return candidates[0];
}
