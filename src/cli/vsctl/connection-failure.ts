/** Why there is no connection, in the kernel's words. */
export class ConnectionFailure extends Error {}
