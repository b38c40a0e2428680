import { expect, test } from 'vitest';
import { MatrixHomeserver, SCHEMA_PARTS } from '../api/matrix-homeserver.ts';
import { type SchemaNode, structuralSchema } from '../api/structural-schema.ts';
import { referencedSecrets } from './homeserver-copy.ts';

/** Fields of the schema that name Secrets; those for pulling images are read by the kubelet and not by the operator. */
function secretFields(node: SchemaNode, path: readonly string[] = []): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    if (/secrets?refs?$/i.test(name)) return name === 'pullSecretRefs' ? [] : [[...path, name].join('.')];
    return secretFields(child.items ?? child, [...path, name]);
  });
}

/** A Secret with the name of the field, as far as it may be one. */
const ref = (field: string) => ({ name: field.toLowerCase(), key: 'key' });
const bucket = (field: string) => ({ bucket: 'bucket', credentialsSecretRef: ref(`${field}.credentialsSecretRef`) });

/** Every field that names a Secret, those together too of which a resource may have only one. */
const SPEC = {
  serverName: 'example.org',
  database: {
    server: { host: 'db', adminSecretRef: ref('database.server.adminSecretRef') },
    existing: { secretRef: ref('database.existing.secretRef') },
    tls: { caSecretRef: ref('database.tls.caSecretRef') },
  },
  signingKeys: { keys: [{ name: 'k1', state: 'Active', secretRef: ref('signingKeys.keys.secretRef') }] },
  secretsRef: ref('secretsRef'),
  media: { s3: bucket('media.s3') },
  configSecretRefs: [ref('configSecretRefs')],
  integrations: { turn: { external: { uris: ['turn:t'], secretRef: ref('integrations.turn.external.secretRef') } } },
  backup: { schedule: '@daily', s3: bucket('backup.s3'), encryptionSecretRef: ref('backup.encryptionSecretRef') },
  bootstrap: {
    restore: { s3: bucket('bootstrap.restore.s3'), encryptionSecretRef: ref('bootstrap.restore.encryptionSecretRef') },
  },
};

test('a change of any Secret that a resource can name makes the operator look at the resource', () => {
  const metadata = { name: 'chat', namespace: 'ns', uid: 'uid', resourceVersion: '1' };
  const resource = MatrixHomeserver.parse({ metadata, spec: SPEC, status: {} });
  const fields = secretFields(structuralSchema(SCHEMA_PARTS.spec));
  expect(new Set(referencedSecrets(resource))).toEqual(new Set(fields.map((field) => field.toLowerCase())));
});
