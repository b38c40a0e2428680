import { PORTS, PUBLIC_PATHS } from '../../homeserver/contract/layout.ts';
import type { ExposureSpec } from '../api/exposure-spec.ts';
import type { Spec } from '../api/matrix-homeserver.ts';
import { ELEMENT_WEB_PORT } from './element-web.ts';
import { exposureOf } from './exposure.ts';
import { ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

type Routed = Pick<Spec, 'serverName' | 'exposure' | 'integrations'>;

/** Routes the public hosts to the Service; undefined without `exposure.ingress`. */
export function ingress(owner: Owner, spec: Routed): Manifest | undefined {
  const wanted = spec.exposure?.ingress;
  const exposure = exposureOf(spec);
  if (wanted === undefined || exposure === undefined) return undefined;
  const { ingress: name, service, tlsSecret } = childNames(owner.name);
  const hosts = hostPaths(exposure.host, exposure.wellKnownHost);
  return buildIngress(owner, wanted, { name, hosts, tlsSecret, service, port: PORTS.http });
}

/** Routes the host of Element Web; undefined where one of the two is not wanted. */
export function elementWebIngress(owner: Owner, { exposure, integrations }: Routed): Manifest | undefined {
  const wanted = exposure?.ingress;
  const host = integrations?.elementWeb?.host;
  if (wanted === undefined || host === undefined) return undefined;
  const { elementWeb: name, elementWebTlsSecret: tlsSecret } = childNames(owner.name);
  const hosts = [{ host, paths: ['/'] }];
  return buildIngress(owner, wanted, { name, hosts, tlsSecret, service: name, port: ELEMENT_WEB_PORT });
}

interface Target {
  readonly name: string;
  readonly hosts: readonly HostPaths[];
  /** Unless the spec names one for all hosts. */
  readonly tlsSecret: string;
  readonly service: string;
  readonly port: number;
}

function buildIngress(owner: Owner, wanted: NonNullable<ExposureSpec['ingress']>, target: Target): Manifest {
  const metadata = ownedMetadata(owner, target.name);
  const backend = { service: { name: target.service, port: { number: target.port } } };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: wanted.annotations === undefined ? metadata : { ...metadata, annotations: wanted.annotations },
    spec: {
      ...(wanted.className === undefined ? {} : { ingressClassName: wanted.className }),
      tls: [{ hosts: target.hosts.map(({ host }) => host), secretName: wanted.tlsSecretName ?? target.tlsSecret }],
      rules: target.hosts.map(({ host, paths }) => ({
        host,
        http: { paths: paths.map((path) => ({ path, pathType: 'Prefix', backend })) },
      })),
    },
  };
}

export interface HostPaths {
  readonly host: string;
  /** By prefix. */
  readonly paths: readonly string[];
}

/** Which paths each public host has. */
export function hostPaths(host: string, wellKnownHost: string | undefined): HostPaths[] {
  const { api, wellKnown } = PUBLIC_PATHS;
  if (wellKnownHost === undefined) return [{ host, paths: [api] }];
  if (wellKnownHost === host) return [{ host, paths: [api, wellKnown] }];
  return [
    { host, paths: [api] },
    { host: wellKnownHost, paths: [wellKnown] },
  ];
}
