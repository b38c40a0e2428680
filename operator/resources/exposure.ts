import type { Spec } from '../api/matrix-homeserver.ts';

/** How the world reaches a server, as its spec says. */
export interface Exposure {
  /** Host of the client and federation API, HTTPS on port 443. */
  readonly host: string;
  /** Host whose `/.well-known/matrix/` is routed to this server; undefined: somebody else serves it. */
  readonly wellKnownHost: string | undefined;
  readonly baseUrl: string;
  /** What `/.well-known/matrix/server` tells other servers. */
  readonly wellKnownServer: string;
}

/** undefined when the spec names no host and no route: then only the Service is there. */
export function exposureOf({ serverName, exposure }: Pick<Spec, 'serverName' | 'exposure'>): Exposure | undefined {
  const isRouted = exposure?.ingress !== undefined || exposure?.gateway !== undefined;
  if (exposure === undefined || !(isRouted || exposure.host !== undefined)) return undefined;
  const name = serverName.replace(/:[0-9]{1,5}$/, '');
  const host = exposure.host ?? `matrix.${name}`;
  const isServed = exposure.wellKnown === 'Serve' && !isAddress(name);
  return {
    host,
    wellKnownHost: isServed ? name : undefined,
    baseUrl: `https://${host}`,
    wellKnownServer: `${host}:443`,
  };
}

/** Whether a server name without its port is an IP address. */
export function isAddress(name: string): boolean {
  return /^(\[.*\]|[0-9]+(\.[0-9]+){3})$/.test(name);
}
