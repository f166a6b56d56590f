/** What an OpenFlow connection runs over: a socket, or something in memory that behaves like one. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export type OpenflowStream = Duplex & Pick<Socket, 'destroySoon' | 'bytesWritten'>;
