import { expect, test } from 'vitest';
import { SourceSpec, restoredManifest, secretsNamedIn, whereFilesAre } from './restored-manifest.ts';
import { toYaml } from './text/yaml.ts';

const s3 = { bucket: 'example-backup', region: 'eu-central-1', credentialsSecretRef: { name: 'backup-s3' } };
const encryptionSecretRef = { name: 'backup-key', key: 'key' };
const server = { host: 'pg', adminSecretRef: { name: 'pg-admin' } };
const wish = { name: 'chat-restored', namespace: 'again', backupID: 'latest' };

const spec = (more: object = {}) =>
  SourceSpec.parse({
    serverName: 'example.org',
    database: { server, name: 'chat', tls: { mode: 'Require' } },
    backup: { schedule: '@daily', s3, encryptionSecretRef },
    ...more,
  });

test('the new resource has the old spec, another database and the backup to begin from', () => {
  const leftBehind = {
    paused: true,
    bootstrap: { restore: { s3 } },
    deletion: { policy: 'Delete', confirm: 'example.org' },
  };
  const upgrade = { approval: 'Required', approvedPlan: '7c19e0b2d4aa' };
  expect(restoredManifest(spec({ ...leftBehind, upgrade, replicas: 3 }), wish)).toEqual({
    apiVersion: 'matrix-operator.dev/v1alpha1',
    kind: 'MatrixHomeserver',
    metadata: { name: 'chat-restored', namespace: 'again' },
    spec: {
      serverName: 'example.org',
      replicas: 3,
      database: { server, tls: { mode: 'Require' } },
      backup: { schedule: '@daily', s3, encryptionSecretRef },
      upgrade: { approval: 'Required' },
      bootstrap: { restore: { s3, backupID: 'latest', encryptionSecretRef } },
    },
  });
});

test('without a bucket there is nothing to restore from', () => {
  expect(() => restoredManifest(spec({ backup: undefined }), wish)).toThrow(/spec\.backup is not set/);
});

test('a database of somebody else is never the one that holds the old data', () => {
  const existing = spec({ database: { existing: { secretRef: { name: 'chat-app' } } } });
  expect(() => restoredManifest(existing, wish)).toThrow(/--database-secret/);
  expect(() => restoredManifest(existing, { ...wish, databaseSecret: 'chat-app' })).toThrow(/--database-secret/);
  expect(restoredManifest(existing, { ...wish, databaseSecret: 'new-app' })).toMatchObject({
    spec: { database: { existing: { secretRef: { name: 'new-app' } } } },
  });
});

test('files in a bucket need nothing but its Secret; for others the old volume is asked for', () => {
  const media = { s3: { bucket: 'files', credentialsSecretRef: { name: 'media-s3' } } };
  expect(restoredManifest(spec({ media }), wish)).toMatchObject({ spec: { media } });
  expect(secretsNamedIn(restoredManifest(spec({ media }), wish))).toContain('media-s3');
  expect(whereFilesAre(spec({ media }))).toContain('in the bucket files');
  expect(whereFilesAre(spec())).toContain('existingClaimName');
});

test('the Secrets that have to be there are named, each once', () => {
  const manifest = restoredManifest(spec({ configSecretRefs: [{ name: 'smtp' }] }), wish);
  expect(secretsNamedIn(manifest)).toEqual(['backup-key', 'backup-s3', 'pg-admin', 'smtp']);
});

test('as YAML it means the same to kubectl, which takes Off for a boolean, and repeats what is there twice', () => {
  const yaml = toYaml(restoredManifest(spec({ federation: { selfCheck: 'Off' } }), wish));
  expect(yaml).toContain('selfCheck: "Off"');
  expect(yaml.match(/bucket: example-backup/g)).toHaveLength(2);
  expect(yaml).not.toContain('&');
});
