import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import type { Resource } from '../../../operator/runtime/kube-object.ts';
import { goModuleFolder } from '../../cluster/go-module.ts';
import { waitFor } from '../../support/wait-for.ts';

const Definition = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

const CRD_KIND: Resource = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** A definition of another project's kind that takes any fields, and waits until it is served. */
export async function installKind(client: KubeClient, resource: Resource): Promise<void> {
  const [group = '', version = ''] = resource.apiVersion.split('/');
  const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const manifest = {
    apiVersion: CRD_KIND.apiVersion,
    kind: CRD_KIND.kind,
    metadata: {
      name: `${resource.plural}.${group}`,
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/gateway-api' },
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind: resource.kind,
        listKind: `${resource.kind}List`,
        plural: resource.plural,
        singular: resource.kind.toLowerCase(),
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: anything },
        },
      ],
    },
  };
  await client.apply(CRD_KIND, manifest, 'test');
  await waitFor(() => client.list(resource).then(() => true), { what: `${resource.plural} to be served` });
}

export async function removeKind(client: KubeClient, resource: Resource): Promise<void> {
  const name = `${resource.plural}.${resource.apiVersion.split('/')[0]}`;
  await client.delete(CRD_KIND, { name });
  await waitFor(async () => (await client.get(CRD_KIND, { name })) === undefined, { what: `${name} to be gone` });
}

/** The real definition of HTTPRoute, with its defaults and rules. */
export async function installHttpRoutes(client: KubeClient): Promise<void> {
  const folder = await goModuleFolder('sigs.k8s.io/gateway-api@v1.6.0');
  const file = join(folder, 'config', 'crd', 'standard', 'gateway.networking.k8s.io_httproutes.yaml');
  await client.apply(CRD_KIND, Definition.parse(parse(await readFile(file, 'utf8'))), 'test');
  await waitFor(() => client.list(KINDS.httpRoute).then(() => true), { what: 'HTTPRoutes to be served' });
}
