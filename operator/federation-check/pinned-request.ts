import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { exchange } from '../runtime/http-exchange.ts';
import { CheckFailure, classify } from './check-failure.ts';
import type { Ports, Target } from './discovery.ts';
import type { Dns } from './dns.ts';

/** All that one check may use of the world. */
export interface Outlook {
  readonly dns: Dns;
  /** Whether an address may be connected to. */
  readonly isAllowed: (address: string) => boolean;
  /** Authorities to believe, PEM; undefined: the system's. */
  readonly ca: string | undefined;
  readonly ports: Ports;
  readonly userAgent: string;
  /** Aborts when the time of the whole check is over. */
  readonly signal: AbortSignal;
}

export interface Asked {
  readonly target: Target;
  readonly path: string;
  /** Sent as JSON by POST; absent: GET. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly text: string;
}

const MAX_BYTES = 64 * 1024;

/**
 * One request over TLS to one address that was resolved, checked and is then connected to by number: a name that
 * resolves differently a moment later leads nowhere else. Nothing is followed. Every failure is a CheckFailure.
 */
export async function pinnedRequest(outlook: Outlook, { target, path, body }: Asked): Promise<Answer> {
  const { signal } = outlook;
  const address = await pickAddress(outlook, target.host);
  try {
    const answer = await exchange({
      url: `https://${isIP(address) === 6 ? `[${address}]` : address}:${target.port}${path}`,
      method: body === undefined ? 'GET' : 'POST',
      headers: headersOf(outlook, target, body !== undefined),
      body: body === undefined ? undefined : JSON.stringify(body),
      tls: tlsOf(outlook, target),
      signal,
    });
    const { statusCode = 0, headers } = answer;
    return { status: statusCode, location: headers.location, text: await readText(answer) };
  } catch (error) {
    throw classify(error, signal.aborted);
  }
}

/** The one address to use: the first that may be used. */
async function pickAddress({ dns, isAllowed }: Outlook, host: string): Promise<string> {
  const addresses = isIP(host) === 0 ? await dns.addresses(host) : [host];
  if (addresses.length === 0) throw new CheckFailure('NameNotFound');
  const usable = addresses.find((address) => isAllowed(address));
  if (usable === undefined) throw new CheckFailure('PrivateAddress');
  return usable;
}

function headersOf({ userAgent }: Outlook, { hostHeader }: Target, hasBody: boolean): Record<string, string> {
  const head = { host: hostHeader, accept: 'application/json', 'user-agent': userAgent };
  return hasBody ? { ...head, 'content-type': 'application/json' } : head;
}

/** An address is never sent as SNI; without one node:tls compares the certificate with the address connected to. */
function tlsOf({ ca }: Outlook, { certificateName }: Target): Record<string, unknown> {
  const servername = isIP(certificateName) === 0 ? certificateName : '';
  return { servername, rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    // Leaving the loop destroys the connection.
    if (size > MAX_BYTES) throw new CheckFailure('TooLarge');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
