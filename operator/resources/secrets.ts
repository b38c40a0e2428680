import { GROUP } from '../api/matrix-homeserver.ts';
import { ownedMetadata, protectedLabels, retainedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';
import { turnMetadata } from './turn-server.ts';

/** On `<n>-db` once the database was there: from then on a missing database is lost, never made again. */
export const PROVISIONED_ANNOTATION = `${GROUP}/provisioned`;

/** On `<n>-db`: the `database.passwordVersion` that its password was made for. */
export const PASSWORD_VERSION_ANNOTATION = `${GROUP}/password-version`;
/** On `<n>-key-<k>`: state and end of the key, for the day on which the database comes back from an older backup. */
export const STATE_ANNOTATION = `${GROUP}/key-state`;
export const EXPIRED_ANNOTATION = `${GROUP}/expired-ts`;

const secret = (metadata: Manifest['metadata'], stringData: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata,
  type: 'Opaque',
  data: Object.fromEntries(Object.entries(stringData).map(([key, text]) => [key, toBase64(text)])),
});

export interface RetainedInput {
  readonly owner: Owner;
  readonly serverName: string;
  readonly data: Readonly<Record<string, string>>;
}

/** `<n>-db`: the claim on the database and, unless the database is somebody else's, how to log in to it. */
export function databaseSecret(
  input: RetainedInput & { readonly provisioned: boolean; readonly passwordVersion: number | undefined },
): Manifest {
  const metadata = retainedMetadata(input.owner, childNames(input.owner.name).databaseSecret, input.serverName);
  const provisioned = input.provisioned ? { [PROVISIONED_ANNOTATION]: 'true' } : {};
  const version =
    input.passwordVersion === undefined ? {} : { [PASSWORD_VERSION_ANNOTATION]: String(input.passwordVersion) };
  return secret({ ...metadata, annotations: { ...metadata.annotations, ...provisioned, ...version } }, input.data);
}

/** `<n>-app`: registration secret, token key and form key. */
export function appSecret(input: RetainedInput): Manifest {
  return secret(retainedMetadata(input.owner, childNames(input.owner.name).appSecret, input.serverName), input.data);
}

/** `<n>-key-<key>`: the private half of one signing key. */
export function keySecret(
  input: RetainedInput & { readonly key: string; readonly notes?: Readonly<Record<string, string>> },
): Manifest {
  const name = childNames(input.owner.name).keySecret(input.key);
  const retained = retainedMetadata(input.owner, name, input.serverName);
  const annotations = { ...retained.annotations, ...input.notes };
  const metadata = { ...retained, labels: protectedLabels(input.owner.name), annotations };
  return { ...secret(metadata, input.data), immutable: true };
}

/** `<n>-keyring`: what the replicas read; made again from the keys at any time, so it goes away with the resource. */
export function keyringSecret(owner: Owner, text: string): Manifest {
  return secret(ownedMetadata(owner, childNames(owner.name).keyringSecret), { 'keyring.json': text });
}

/** `<n>-turn`: what a managed TURN server shares with the replicas and, once it has an address, its configuration. */
export function turnSecret(owner: Owner, data: Readonly<Record<string, string>>): Manifest {
  return secret(turnMetadata(owner), data);
}

function toBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
