/** What a command cannot do, told to the user behind the program's name; the exit status is 1 (ovs-ofctl(8)). */
export class OfctlError extends Error {}

export function fail(message: string): never {
  throw new OfctlError(message);
}
