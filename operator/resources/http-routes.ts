import { PORTS } from '../../homeserver/contract/layout.ts';
import type { Spec } from '../api/matrix-homeserver.ts';
import { ELEMENT_WEB_PORT } from './element-web.ts';
import { exposureOf } from './exposure.ts';
import type { HostPaths } from './ingress.ts';
import { hostPaths } from './ingress.ts';
import { ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

type ParentRef = NonNullable<NonNullable<Spec['exposure']>['gateway']>['parentRefs'][number];

/** The two routes that a server may have; a member is undefined where none is wanted. */
export interface HttpRoutes {
  readonly api: Manifest | undefined;
  /** Of the server name, where that is another host than the API's. */
  readonly wellKnown: Manifest | undefined;
}

/** Routes the public hosts to the Service: a route's paths hold for all of its hosts, so each host has its own. */
export function httpRoutes(owner: Owner, spec: Pick<Spec, 'serverName' | 'exposure'>): HttpRoutes {
  const parentRefs = spec.exposure?.gateway?.parentRefs;
  const exposure = exposureOf(spec);
  if (parentRefs === undefined || exposure === undefined) return { api: undefined, wellKnown: undefined };
  const names = childNames(owner.name);
  const [api, wellKnown] = hostPaths(exposure.host, exposure.wellKnownHost);
  const route = (name: string, at: HostPaths) =>
    httpRoute(owner, { name, ...at, parentRefs, service: names.service, port: PORTS.http });
  return {
    api: api === undefined ? undefined : route(names.httpRoute, api),
    wellKnown: wellKnown === undefined ? undefined : route(names.wellKnownRoute, wellKnown),
  };
}

/** Routes the host of Element Web; undefined where one of the two is not wanted. */
export function elementWebRoute(
  owner: Owner,
  { exposure, integrations }: Pick<Spec, 'exposure' | 'integrations'>,
): Manifest | undefined {
  const parentRefs = exposure?.gateway?.parentRefs;
  const host = integrations?.elementWeb?.host;
  if (parentRefs === undefined || host === undefined) return undefined;
  const { elementWeb: name } = childNames(owner.name);
  return httpRoute(owner, { name, host, paths: ['/'], parentRefs, service: name, port: ELEMENT_WEB_PORT });
}

interface HttpRouteInput {
  readonly name: string;
  readonly host: string;
  readonly paths: readonly string[];
  readonly parentRefs: readonly ParentRef[];
  readonly service: string;
  readonly port: number;
}

/** One host's paths to one Service. The lists are written with all defaults: the API server owns them as a whole. */
function httpRoute(owner: Owner, input: HttpRouteInput): Manifest {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: ownedMetadata(owner, input.name),
    spec: {
      parentRefs: input.parentRefs.map((ref) => ({ group: 'gateway.networking.k8s.io', kind: 'Gateway', ...ref })),
      hostnames: [input.host],
      rules: [
        {
          matches: input.paths.map((value) => ({ path: { type: 'PathPrefix', value } })),
          backendRefs: [{ group: '', kind: 'Service', name: input.service, port: input.port, weight: 1 }],
        },
      ],
    },
  };
}
