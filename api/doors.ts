/**
 * Who may ask. A server on loopback has no password, so a web page in a browser on the same
 * machine must not reach it: neither through a name that was made to point here (DNS rebinding:
 * Host), nor by sending to it from another page (Origin, Sec-Fetch-Site).
 */
import { isIP } from 'node:net';
import { EverflameError } from '../profile/errors.ts';

export interface DoorPolicy {
  /** False where the operator opened the server to every name it may be reached under. */
  checkHost: boolean;
}

/** The headers that decide, as they came; undefined where the client sent none. */
export interface DoorHeaders {
  method: string;
  host: string | undefined;
  origin: string | undefined;
  fetchSite: string | undefined;
  fetchMode: string | undefined;
  fetchDest: string | undefined;
}

/** Throws `forbidden`, with the remedy, for a request that a foreign web page caused. */
export function checkDoors(headers: DoorHeaders, policy: DoorPolicy): void {
  if (policy.checkHost && !isOwnHost(headers.host)) {
    throw new EverflameError(
      'forbidden',
      `the host name ${JSON.stringify((headers.host ?? '').slice(0, 100))} is not this server's`,
      {
        field: 'Host',
        remedy:
          'Ask for localhost or an IP address, let the proxy in front send that as Host, or start ' +
          'the server with --insecure to take any name.',
      },
    );
  }
  if (headers.origin !== undefined && !isOwnOrigin(headers.origin, headers.host ?? '')) {
    throw new EverflameError(
      'forbidden',
      `pages of ${headers.origin.slice(0, 100)} may not use this server`,
      {
        field: 'Origin',
        remedy:
          'Let a proxy in front pass the Host header on unchanged, or ask from outside a page.',
      },
    );
  }
  const foreign = headers.fetchSite === 'cross-site' || headers.fetchSite === 'same-site';
  if (foreign && !isNavigation(headers)) {
    throw new EverflameError('forbidden', `a ${headers.fetchSite} page caused this request`, {
      field: 'Sec-Fetch-Site',
      remedy: 'Open the address in a tab of its own; other pages may link here, nothing more.',
    });
  }
}

/** Following a link shows the answer to the person only; the page it was on cannot read it. */
function isNavigation(headers: DoorHeaders): boolean {
  const reads = headers.method === 'GET' || headers.method === 'HEAD';
  return reads && headers.fetchMode === 'navigate' && headers.fetchDest === 'document';
}

/** An address cannot be rebound, and browsers resolve localhost themselves. */
function isOwnHost(host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = hostName(host);
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0;
}

function hostName(host: string): string {
  const bracketed = /^\[([0-9a-f:.]+)\](:\d+)?$/i.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}

function isOwnOrigin(origin: string, host: string): boolean {
  const match = /^(https?):\/\/([^/]+)$/i.exec(origin);
  if (match === null) return false;
  const defaultPort = match[1]?.toLowerCase() === 'https' ? ':443' : ':80';
  const bare = (text: string) =>
    text.endsWith(defaultPort) ? text.slice(0, -defaultPort.length) : text;
  return bare((match[2] ?? '').toLowerCase()) === bare(host.toLowerCase());
}

/** Whether an address that the server shall listen on is reachable from this machine only. */
export function isLoopbackAddress(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}
