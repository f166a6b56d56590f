/** What ends the client: one line behind the program's name, and status 1. */
export class VsctlError extends Error {}

export function fail(message: string): never {
  throw new VsctlError(message);
}

/** Ends the client without a word, as br-exists does for a bridge that there is not. */
export class Exit extends Error {
  readonly status: number;

  constructor(status: number) {
    super();
    this.status = status;
  }
}
