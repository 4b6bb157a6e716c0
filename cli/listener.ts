/** Listening on an address, and stopping without cutting answers short. */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { isLoopbackAddress } from '../api/doors.ts';
import { EverflameError } from '../profile/errors.ts';

/** A request must have arrived whole by then; an interrupted debuginfo upload can be resumed. */
const REQUEST_TIMEOUT_MS = 10 * 60_000;

/** Agents send every 10 s; a connection that is closed under them costs a retry. */
const KEEP_ALIVE_MS = 65_000;
/** How often connections whose last request is answered are closed while the server stops. */
const SWEEP_MS = 50;
/** A long selector in a URL; Node's own limit is 16 KiB. POST takes longer ones. */
const MAX_HEADER_BYTES = 64 * 2 ** 10;

export interface SocketAddress {
  hostname: string;
  port: number;
}

export interface Listener {
  /** With the port that was taken where 0 was asked for. */
  url: string;
  /** Takes no more requests; resolves when the open ones are answered or the time is over. */
  close(graceMs: number): Promise<void>;
}

/** `127.0.0.1:7070`, `localhost:0`, `[::1]:7070`; `:7070` is every address. */
export function parseSocketAddress(text: string, flagName: string): SocketAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new EverflameError('invalid', `--${flagName} ${text}: is not of the form HOST:PORT`, {
      field: flagName,
    });
  }
  return { hostname: match[1] ?? (match[2] || '::'), port };
}

/** Refuses to open a server without passwords to the network, unless told to. */
export function checkExposure(address: SocketAddress, insecure: boolean, flagName: string): void {
  if (insecure || isLoopbackAddress(address.hostname)) return;
  throw new EverflameError(
    'forbidden',
    `--${flagName} ${address.hostname}: everybody who reaches this address could read and write ` +
      'profiles, because the server has no authentication; give --insecure to allow that',
    { field: flagName },
  );
}

/** Listens; errors are one line that names the address. */
export async function listen(
  fetchAnswer: Parameters<typeof getRequestListener>[0],
  address: SocketAddress,
): Promise<Listener> {
  const onRequest = getRequestListener(fetchAnswer);
  const limits = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const server = createServer(limits, (incoming, outgoing) => {
    void onRequest(incoming, outgoing);
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, address)));
    server.listen(address.port, address.hostname, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = address.hostname.includes(':') ? `[${address.hostname}]` : address.hostname;
  return {
    url: `http://${host}:${port}`,
    close: (graceMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), graceMs);
        // A connection that was answering would stay open for KEEP_ALIVE_MS.
        const sweep = setInterval(closeIdle, SWEEP_MS);
        server.close(() => {
          clearTimeout(timer);
          clearInterval(sweep);
          resolve();
        });
        closeIdle();
      }),
  };

  function closeIdle(): void {
    server.closeIdleConnections();
    // Node holds those that browsers open in advance for busy: a request could be on its way.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}

function explain(error: NodeJS.ErrnoException, address: SocketAddress): EverflameError {
  const where = `${address.hostname}:${address.port}`;
  const reasons: Record<string, string> = {
    EADDRINUSE: 'another program listens there',
    EACCES: 'ports below 1024 need CAP_NET_BIND_SERVICE',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'there is no host of that name',
  };
  const reason = reasons[error.code ?? ''] ?? error.message;
  return new EverflameError('unavailable', `cannot listen on ${where}: ${reason}`, {
    cause: error,
  });
}
