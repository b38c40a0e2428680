import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { Resource } from '../../../operator/runtime/kube-object.ts';
import type { Stage } from './stage.ts';
import { sorted } from './stage.ts';

const EVENTS: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events', namespaced: true };

/** What of a homeserver is on the server: its database, its roles. */
export async function onServer(stage: Stage, name: string): Promise<string[]> {
  const rows = await stage.sql(
    `select 'database' as what from pg_database where datname = $1
     union all select rolname from pg_roles where rolname in ($1, $1 || '_0', $1 || '_1')`,
    [name],
  );
  return sorted(rows.map(({ what }) => String(what)));
}

export const untouched = (name: string) => ['database', name, `${name}_0`];

export async function secretNames(stage: Stage, namespace: string): Promise<string[]> {
  const { items } = await stage.client.list(KINDS.secret, { namespace });
  return sorted(items.map(({ metadata }) => metadata.name));
}

export async function eventReasons(stage: Stage, namespace: string): Promise<string[]> {
  const { items } = await stage.client.list(EVENTS, { namespace });
  return items.map((event) => `${String(event['type'])} ${String(event['reason'])}`);
}

export async function makeClaim(
  stage: Stage,
  namespace: string,
  name: string,
  labels: Record<string, string>,
): Promise<void> {
  const manifest = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { namespace, name, labels },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  await stage.client.create(KINDS.persistentVolumeClaim, manifest, 'test');
}

/** What `kubectl delete namespace` and the namespace controller do, Secrets and Deployment first. */
export async function deleteNamespace(stage: Stage, namespace: string): Promise<void> {
  await stage.client.delete(KINDS.namespace, { name: namespace });
  await takeContents(stage, namespace);
}

export async function takeContents(stage: Stage, namespace: string): Promise<void> {
  for (const kind of [KINDS.secret, KINDS.deployment, KINDS.job]) {
    for (const { metadata } of (await stage.client.list(kind, { namespace })).items) {
      await stage.client.delete(kind, { namespace, name: metadata.name });
    }
  }
  await stage.client.delete(KINDS.homeserver, { namespace, name: 'chat' });
}

/** A server that the platform team offers to every namespace. */
export async function offerServer(stage: Stage, platform: string, port: number): Promise<void> {
  const { host, username, password } = stage.postgres;
  const metadata = { namespace: platform, name: 'entry', labels: { 'matrix-operator.dev/database-server': 'shared' } };
  const stringData = { host, port: String(port), username, password, tls: 'Disable', namespaces: '*' };
  await stage.client.apply(KINDS.secret, { apiVersion: 'v1', kind: 'Secret', metadata, stringData }, 'platform');
}
