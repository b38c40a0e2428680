import type { ObjectName, Resource } from './kube-object.ts';

/** Path of a whole kind, in one namespace or in all of them. */
export function collectionPath(resource: Resource, namespace: string | undefined): string {
  const root = resource.apiVersion.includes('/') ? `/apis/${resource.apiVersion}` : `/api/${resource.apiVersion}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${resource.plural}`;
}

/** Path of one object. A namespaced kind without a namespace is a fault of the caller. */
export function objectPath(resource: Resource, { namespace, name }: ObjectName): string {
  if (resource.namespaced !== (namespace !== undefined)) {
    throw new TypeError(`${resource.kind} ${name}: ${resource.namespaced ? 'a' : 'no'} namespace is needed`);
  }
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
}
