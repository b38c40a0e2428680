import type { Spec } from '../api/matrix-homeserver.ts';
import type { Status } from '../api/status.ts';
import { clientUrl } from './client-service.ts';
import { exposureOf, isAddress } from './exposure.ts';
import type { Owner } from './manifest.ts';

type Exposed = Pick<Spec, 'serverName' | 'exposure' | 'config' | 'integrations'>;

/** Where the server is reached, as the status says it. What `config` says counts more than what exposure comes to. */
export function endpointsOf(owner: Owner, spec: Exposed): NonNullable<Status['endpoints']> {
  const exposure = exposureOf(spec);
  const client = publicBaseUrl(spec) ?? clientUrl(owner);
  const wellKnownServer = setting(spec, 'wellKnownServer') ?? exposure?.wellKnownServer;
  const around = { client, ...integrationsOf(spec) };
  if (wellKnownServer === undefined) return around;
  return { ...around, federation: federationAddress(spec.serverName) ?? wellKnownServer, wellKnownServer };
}

/** URL at which the world reaches the client API; undefined when the spec does not tell one. */
export function publicBaseUrl(spec: Exposed): string | undefined {
  return setting(spec, 'publicBaseUrl') ?? exposureOf(spec)?.baseUrl;
}

function integrationsOf({ integrations }: Exposed) {
  const host = integrations?.elementWeb?.host;
  const url = integrations?.rtc?.external.url;
  return {
    ...(host === undefined ? {} : { elementWeb: `https://${host}` }),
    ...(url === undefined ? {} : { rtc: url }),
  };
}

function setting({ config }: Exposed, key: 'publicBaseUrl' | 'wellKnownServer'): string | undefined {
  const value = config?.[key];
  return typeof value === 'string' ? value : undefined;
}

/** Names with a port and addresses are called as they are, without a look at well-known. Spec: server-server API, "Resolving server names" (v1.19). */
function federationAddress(serverName: string): string | undefined {
  if (/:[0-9]{1,5}$/.test(serverName)) return serverName;
  return isAddress(serverName) ? `${serverName}:8448` : undefined;
}
