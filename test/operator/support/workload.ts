import { parse } from 'yaml';
import * as z from 'zod';
import { HomeserverConfig } from '../../../homeserver/contract/config-schema.ts';
import { KeyringFile } from '../../../homeserver/contract/keyring-file.ts';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { decodeSecret } from '../../../operator/reconcile/secret-data.ts';
import type { KubeClient } from '../../../operator/runtime/kube-client.ts';
import type { KubeObject } from '../../../operator/runtime/kube-object.ts';

const Volumes = z.array(
  z.looseObject({
    name: z.string(),
    configMap: z.looseObject({ name: z.string() }).optional(),
    projected: z
      .looseObject({ sources: z.array(z.looseObject({ secret: z.looseObject({ name: z.string() }).optional() })) })
      .optional(),
    secret: z.looseObject({ secretName: z.string() }).optional(),
  }),
);

/** What the stand-ins read of a Job or a Deployment. */
export const Workload = z.looseObject({
  spec: z.looseObject({
    replicas: z.int().default(1),
    template: z.looseObject({
      spec: z.looseObject({
        volumes: Volumes,
        containers: z
          .array(z.looseObject({ name: z.string(), image: z.string(), args: z.array(z.string()).default([]) }))
          .min(1),
      }),
    }),
  }),
  status: z
    .looseObject({
      observedGeneration: z.int().optional(),
      readyReplicas: z.int().default(0),
      conditions: z.array(z.looseObject({ type: z.string() })).default([]),
    })
    .prefault({}),
});

/** The `db/` files that a pod would mount, and its configuration. */
export async function mounts(client: KubeClient, workload: KubeObject) {
  const { namespace = '' } = workload.metadata;
  const { volumes } = Workload.parse(workload).spec.template.spec;
  const configName = volumes.find(({ name }) => name === 'config')?.configMap?.name ?? '';
  const databaseName = volumes.find(({ name }) => name === 'db')?.projected?.sources[0]?.secret?.name ?? '';
  const keyringName = volumes.find(({ name }) => name === 'keyring')?.secret?.secretName ?? '';
  const configMap = await client.get(KINDS.configMap, { namespace, name: configName });
  const database = await client.get(KINDS.secret, { namespace, name: databaseName });
  const keyring = await client.get(KINDS.secret, { namespace, name: keyringName });
  if (configMap === undefined || database === undefined || keyring === undefined) throw new Error('a mount is missing');
  const { data } = z.looseObject({ data: z.record(z.string(), z.string()) }).parse(configMap);
  const config = HomeserverConfig.parse(parse(data['homeserver.yaml'] ?? ''));
  const keyringFile = KeyringFile.parse(JSON.parse(decodeSecret(keyring).values['keyring.json'] ?? ''));
  return { config, database: decodeSecret(database).values, keyring: keyringFile };
}

/** The first container of the pods of a workload. */
export function podOf(workload: KubeObject): { name: string; image: string; args: string[] } {
  const [container] = Workload.parse(workload).spec.template.spec.containers;
  if (container === undefined) throw new Error('a pod without a container');
  return { name: container.name, image: container.image, args: container.args };
}
