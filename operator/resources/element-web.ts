import type { Spec } from '../api/matrix-homeserver.ts';
import { ELEMENT_WEB_VERSION } from '../api/integrations-spec.ts';
import { canonicalJson } from './canonical-json.ts';
import { NGINX_CONFIG } from './element-web-nginx.ts';
import { HOMESERVER_LABEL, ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';
import { CONTAINER_SECURITY, POD_SECURITY } from './pod-template.ts';

export const ELEMENT_WEB_PORT = 8080;
/** The user of nginx in the image; its name alone does not convince a node that it is not root. */
const NGINX_USER = 101;
const FILES = '/etc/element-web';

type Wanted = NonNullable<NonNullable<Spec['integrations']>['elementWeb']>;

/** Labels that select the pods; never change them: a Deployment's selector is immutable. */
function selector(name: string): Record<string, string> {
  return { [HOMESERVER_LABEL]: name, 'app.kubernetes.io/component': 'element-web' };
}

function metadata(owner: Owner) {
  const base = ownedMetadata(owner, childNames(owner.name).elementWeb);
  return { ...base, labels: { ...base.labels, 'app.kubernetes.io/component': 'element-web' } };
}

/** `config.json`, which tells the client of this server, and how nginx serves it. */
export function elementWebConfigMap(owner: Owner, wanted: Wanted, server: { name: string; baseUrl: string }): Manifest {
  const config = {
    default_server_config: { 'm.homeserver': { base_url: server.baseUrl, server_name: server.name } },
    disable_custom_urls: true,
    ...wanted.config,
  };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata(owner),
    data: { 'config.json': `${canonicalJson(config)}\n`, 'nginx.conf': NGINX_CONFIG },
  };
}

export function elementWebService(owner: Owner): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(owner),
    spec: {
      type: 'ClusterIP',
      selector: selector(owner.name),
      ports: [{ name: 'http', port: ELEMENT_WEB_PORT, targetPort: 'http', protocol: 'TCP' }],
    },
  };
}

export interface ElementWebInput {
  readonly owner: Owner;
  readonly wanted: Wanted;
  /** Digest of the ConfigMap: a change rolls the pods. */
  readonly configChecksum: string;
  /** Whether the platform chooses the user of pods. */
  readonly userIsGiven: boolean;
}

/** Static files by nginx, without anything of the image's own start scripts: they write where pods may not. */
export function elementWebDeployment(input: ElementWebInput): Manifest {
  const { owner, wanted, configChecksum } = input;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(owner),
    spec: {
      replicas: 1,
      revisionHistoryLimit: 3,
      selector: { matchLabels: selector(owner.name) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: metadata(owner).labels,
          annotations: { 'matrix-operator.dev/config-checksum': configChecksum },
        },
        spec: podSpec(wanted, input.userIsGiven, childNames(owner.name).elementWeb),
      },
    },
  };
}

function podSpec(wanted: Wanted, userIsGiven: boolean, configMap: string) {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: userIsGiven ? POD_SECURITY : { ...POD_SECURITY, runAsUser: NGINX_USER },
    containers: [
      {
        name: 'element-web',
        image: wanted.image ?? `docker.io/vectorim/element-web:v${wanted.version ?? ELEMENT_WEB_VERSION}`,
        imagePullPolicy: 'IfNotPresent',
        command: ['nginx', '-e', 'stderr', '-c', `${FILES}/nginx.conf`, '-g', 'daemon off;'],
        ports: [{ name: 'http', containerPort: ELEMENT_WEB_PORT, protocol: 'TCP' }],
        resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
        securityContext: CONTAINER_SECURITY,
        readinessProbe: { httpGet: { path: '/config.json', port: 'http' }, periodSeconds: 5 },
        livenessProbe: { httpGet: { path: '/config.json', port: 'http' }, periodSeconds: 20, failureThreshold: 6 },
        volumeMounts: [
          { name: 'config', mountPath: FILES, readOnly: true },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [
      { name: 'config', configMap: { name: configMap } },
      { name: 'tmp', emptyDir: { sizeLimit: '16Mi' } },
    ],
  };
}
