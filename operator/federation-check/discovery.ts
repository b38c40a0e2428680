import { isIP } from 'node:net';
import { ServerNameField } from '../../homeserver/contract/server-name.ts';

/** Where a request goes, and as whom the server there must prove itself. */
export interface Target {
  /** DNS name to resolve, or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Name or address that the certificate must be valid for; a name is also sent as SNI. */
  readonly certificateName: string;
  readonly hostHeader: string;
}

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

export interface Ports {
  /** Of /.well-known/matrix/server. [443] */
  readonly https: number;
  /** Where a name without a port is served. [8448] */
  readonly federation: number;
}

/** A server name in its parts. */
export interface NameParts {
  readonly name: string;
  /** DNS name, or an IP address without brackets. */
  readonly host: string;
  readonly port: number | undefined;
}

export const DEFAULT_PORTS: Ports = { https: 443, federation: 8448 };

/** The labels of SRV records, in the order in which they are looked for. */
export const SRV_SERVICES = ['_matrix-fed._tcp', '_matrix._tcp'] as const;

/** Longer names are refused before any pattern looks at them: they come from outside. */
const MAX_NAME = 230;

/** The parts of a server name; undefined for what is none. */
export function parseName(name: string): NameParts | undefined {
  if (name.length > MAX_NAME || !ServerNameField.safeParse(name).success) return undefined;
  const [, bracketed, plain = '', digits] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(name) ?? [];
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  return isPort(port) ? { name, host: bracketed ?? plain, port } : undefined;
}

function isPort(port: number | undefined): boolean {
  return port === undefined || (port > 0 && port <= 65_535);
}

/**
 * Where a name leads without asking anybody: an address, or a name with a port. undefined: look further.
 * Spec: server-server API, "Server discovery", steps 1 and 2, and 3.1 and 3.2 for a delegated name.
 */
export function directTarget({ name, host, port }: NameParts, ports: Ports): Target | undefined {
  if (isIP(host) === 0 && port === undefined) return undefined;
  return { host, port: port ?? ports.federation, certificateName: host, hostHeader: name };
}

/** Steps 3.3, 3.4, 4 and 5: the first SRV record; the certificate must be for the name itself, not for its target. */
export function srvTarget({ host }: NameParts, records: readonly SrvRecord[]): Target | undefined {
  const [best] = records
    .filter(({ name }) => name !== '' && name !== '.')
    .toSorted((a, b) => a.priority - b.priority || b.weight - a.weight);
  return best && { host: best.name, port: best.port, certificateName: host, hostHeader: host };
}

/** Steps 3.5 and 6: the name itself at port 8448. */
export function fallbackTarget({ host }: NameParts, ports: Ports): Target {
  return { host, port: ports.federation, certificateName: host, hostHeader: host };
}

/** Where /.well-known/matrix/server of a name is asked for. */
export function wellKnownUrl({ host }: NameParts): URL {
  return new URL(`https://${host}/.well-known/matrix/server`);
}

/** The target of one hop on the way to a well-known document; undefined for a URL that is not to be followed. */
export function hopTarget({ protocol, hostname, port, host, username, password }: URL, ports: Ports) {
  if (protocol !== 'https:' || hostname === '' || username !== '' || password !== '') return undefined;
  const name = hostname.replace(/^\[|\]$/g, '');
  const target: Target = {
    host: name,
    port: port === '' ? ports.https : Number(port),
    certificateName: name,
    hostHeader: host,
  };
  return target;
}

/** The next hop of a redirect; undefined for a broken Location. */
export function redirectUrl(from: URL, location: string | undefined): URL | undefined {
  if (location === undefined || !URL.canParse(location, from.href)) return undefined;
  return new URL(location, from.href);
}

/** The name that a well-known document delegates to; undefined when it is none that a server may use. */
export function parseWellKnown(text: string): NameParts | undefined {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== 'object' || document === null || !('m.server' in document)) return undefined;
    const delegated = document['m.server'];
    return typeof delegated === 'string' ? parseName(delegated.toLowerCase()) : undefined;
  } catch {
    return undefined;
  }
}
