/** The kernel's words for what went wrong with a socket: logs and the `last_error` of a controller's status have them. */

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  ECONNABORTED: 'Software caused connection abort',
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ENOENT: 'No such file or directory',
  EPIPE: 'Broken pipe',
  EPROTO: 'Protocol error',
  ETIMEDOUT: 'Connection timed out',
};

export const END_OF_FILE = 'End of file';
export const PROTOCOL_ERROR = TEXTS.EPROTO;
export const TIMED_OUT = TEXTS.ETIMEDOUT;

export const systemText = (error: NodeJS.ErrnoException): string =>
  TEXTS[error.code ?? ''] ?? error.message;
