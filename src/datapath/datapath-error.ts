/** What a datapath could not do, in words for the user's `error` column. */
export class DatapathError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DatapathError';
  }
}
