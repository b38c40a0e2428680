import { API_VERSION, GROUP, KIND } from '../api/matrix-homeserver.ts';
import type { Owner } from './manifest.ts';

/** Holds a resource with `deletion.policy` Delete until its database is dropped. */
export const DATABASE_FINALIZER = `${GROUP}/database`;
/** On every child; its value is the name of the resource. Watches select by it. */
export const HOMESERVER_LABEL = `${GROUP}/homeserver`;
/** On pods that serve: the version of the homeserver. */
export const VERSION_LABEL = 'app.kubernetes.io/version';
/** On Secrets of users that shall be looked at as soon as they change. */
export const WATCH_LABEL = `${GROUP}/watch`;
/** On Secrets in the operator's namespace: a database server that resources may name by this value. */
export const DATABASE_SERVER_LABEL = `${GROUP}/database-server`;
/** On what stays when the resource is deleted. */
export const RETAINED_LABEL = `${GROUP}/retained`;
/** On Secrets that the chart's admission policy keeps from being deleted by accident. */
export const PROTECT_LABEL = `${GROUP}/protect`;
/** On retained Secrets: the Matrix server name they were made for. */
export const SERVER_NAME_ANNOTATION = `${GROUP}/server-name`;

const NAME = { 'app.kubernetes.io/name': 'homeserver', 'app.kubernetes.io/managed-by': 'matrix-operator' };

/** Labels that select the serving pods of one resource; never change them: a Deployment's selector is immutable. */
export function podSelector(name: string): Record<string, string> {
  return { [HOMESERVER_LABEL]: name, 'app.kubernetes.io/component': 'homeserver' };
}

/** The same selector as text, for the scale subresource. */
export function podSelectorText(name: string): string {
  return Object.entries(podSelector(name))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** Labels of children that go away with the resource. */
export function ownedLabels(name: string): Record<string, string> {
  return { ...NAME, 'app.kubernetes.io/instance': name, [HOMESERVER_LABEL]: name };
}

/** Labels of children that stay when the resource is deleted; no instance label, so no GitOps tool prunes them. */
export function retainedLabels(name: string): Record<string, string> {
  return { ...NAME, [HOMESERVER_LABEL]: name, [RETAINED_LABEL]: 'true' };
}

/** Labels of Secrets that nobody may delete by accident. */
export function protectedLabels(name: string): Record<string, string> {
  return { ...retainedLabels(name), [PROTECT_LABEL]: 'true' };
}

/** Metadata of a child that Kubernetes collects when the resource is deleted. */
export function ownedMetadata(owner: Owner, name: string) {
  return {
    name,
    namespace: owner.namespace,
    labels: ownedLabels(owner.name),
    ownerReferences: [
      {
        apiVersion: API_VERSION,
        kind: KIND,
        name: owner.name,
        uid: owner.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
}

/** Metadata of a child that stays; the server name cannot be a label because it may hold a colon. */
export function retainedMetadata(owner: Owner, name: string, serverName: string) {
  return {
    name,
    namespace: owner.namespace,
    labels: retainedLabels(owner.name),
    annotations: { [SERVER_NAME_ANNOTATION]: serverName },
  };
}
