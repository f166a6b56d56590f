/** The part of the optional package raw-socket that portable-sockets.ts uses. */
declare module 'raw-socket' {
  import type { EventEmitter } from 'node:events';

  export interface RawSocket extends EventEmitter {
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      address: string,
      done: (error: Error | null, bytes: number) => void,
    ): void;
    close(): void;
  }
  interface Package {
    readonly AddressFamily: { readonly IPv4: number; readonly IPv6: number };
    /** `protocol`: of IP. Throws when the kernel refuses the socket. */
    createSocket(options: {
      protocol: number;
      addressFamily: number;
      bufferSize: number;
    }): RawSocket;
  }
  const raw: Package;
  export default raw;
}
