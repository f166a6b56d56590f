/**
 * Commands of ovs-appctl: what one is, and the table that finds, checks and lists them.
 */

export interface Command {
  name: string;
  /** Arguments as `list-commands` shows them, in Open vSwitch's words; empty when there are none. */
  usage: string;
  /** Left out of `list-commands`. */
  isHidden?: boolean;
  minArgs: number;
  /** Number.POSITIVE_INFINITY when there is no limit. */
  maxArgs: number;
  /** Answers with the text to print. Fails by throwing CommandError; anything else thrown is a bug. */
  run(args: string[]): string | Promise<string>;
}

/** A command that failed in a way the user should read. */
export class CommandError extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'CommandError';
  }
}

export class CommandTable {
  private readonly commands = new Map<string, Command>();

  constructor(commands: readonly Command[] = []) {
    this.add(...commands, {
      name: 'list-commands',
      usage: '',
      minArgs: 0,
      maxArgs: 0,
      run: () => this.listText(),
    });
  }

  /** Adds commands. The first of a name stays. */
  add(...commands: readonly Command[]): void {
    for (const command of commands) {
      if (!this.commands.has(command.name)) this.commands.set(command.name, command);
    }
  }

  /** Runs a command after checking its name and arguments, with the texts of the original. */
  async run(name: string, params: readonly unknown[]): Promise<string> {
    const command = this.commands.get(name);
    if (command === undefined) {
      throw new CommandError(
        `"${name}" is not a valid command (use "list-commands" to see a list of valid commands)`,
      );
    }
    if (params.length < command.minArgs) {
      throw new CommandError(`"${name}" command requires at least ${command.minArgs} arguments`);
    }
    if (params.length > command.maxArgs) {
      throw new CommandError(`"${name}" command takes at most ${command.maxArgs} arguments`);
    }
    const args = params.filter((param) => typeof param === 'string');
    if (args.length < params.length) {
      throw new CommandError(`"${name}" command has non-string argument`);
    }
    return command.run(args);
  }

  private listText(): string {
    const shown = [...this.commands.values()].filter((command) => !command.isHidden);
    const names = shown.map((command) => command.name).sort((a, b) => (a < b ? -1 : 1));
    const line = (name: string): string =>
      `  ${name.padEnd(23)} ${(this.commands.get(name) as Command).usage}\n`;
    return `The available commands are:\n${names.map(line).join('')}`;
  }
}
