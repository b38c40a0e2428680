import { createServer } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deleteOldBackups } from '../../homeserver/backup/delete-old-backups.ts';
import { bucketProblem } from '../../homeserver/media/check-bucket.ts';
import type { ObjectStore } from '../../homeserver/object-store/object-store.ts';
import { openS3Store } from '../../homeserver/object-store/s3-store.ts';
import type { S3Settings } from '../../homeserver/object-store/s3-store.ts';
import { makeBackup, makeRestore, tableDigests } from '../support/backups.ts';
import { matching } from '../support/matching.ts';
import { createDatabase, TEST_SERVER_NAME } from '../support/postgres.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
}, 1_800_000);
afterAll(() => server.stop());

function open(more: Partial<S3Settings> = {}): ObjectStore {
  const { bucket, region, endpoint, credentials: directory } = server;
  const base = { bucket, endpoint, region, prefix: 'some/where/', pathStyle: true };
  return openS3Store({ ...base, credentials: { directory }, ...more });
}

async function namesOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const name of store.list(prefix)) names.push(name);
  return names;
}

test('objects are written over, read whole, listed and deleted', async () => {
  const store = open();
  const name = 'test.example:8448/data/[2001=db8]/a_b-c.zst';
  await store.put(name, Buffer.from('first'));
  await store.put(name, Buffer.alloc(9_000_000, 'x'));
  expect((await store.get(name, 9_000_000))?.length).toBe(9_000_000);
  await expect(store.get(name, 8_999_999)).rejects.toThrow('more than 8999999 bytes');
  expect(await store.get('test.example:8448/other', 10)).toBeUndefined();
  expect(await namesOf(store, 'test.example:8448/')).toEqual([name]);
  expect(await store.listFolders('test.example:8448/data/')).toEqual(['test.example:8448/data/[2001=db8]/']);
  await store.delete(name);
  await store.delete(name);
  expect(await namesOf(store, 'test.example:8448/')).toEqual([]);
  await store.close();
});

test('more than a page is listed, in order', async () => {
  const store = open({ prefix: 'many/' });
  const names = Array.from({ length: 1100 }, (_, i) => `list/${String(i).padStart(5, '0')}`);
  await Promise.all(names.map((name) => store.put(name, Buffer.from(name))));
  expect(await namesOf(store, 'list/')).toEqual(names);
  await store.close();
});

test('a backup goes to the bucket and comes back from it', async () => {
  const [from, into] = [await createDatabase(), await createDatabase({ schema: 'empty' })];
  const store = open({ prefix: '' });
  const first = await makeBackup(from, store);
  const before = await tableDigests(from);
  await makeBackup(from, store);
  const kept = { serverName: TEST_SERVER_NAME, keepLast: 1, now: new Date() };
  expect(await deleteOldBackups(store, kept)).toEqual([first.backupId]);
  expect(await makeRestore(into, store)).toMatchObject({ state: 'restored' });
  expect(await tableDigests(into)).toEqual(before);
  await store.close();
  await Promise.all([from.drop(), into.drop()]);
});

test('wrong credentials and a bucket that is not there are told at once, without a secret', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'matrix-operator-test-s3-'));
  await writeFile(join(directory, 'accessKeyId'), server.accessKeyId);
  await writeFile(join(directory, 'secretAccessKey'), 'not-the-secret');
  const stranger = open({ credentials: { directory } });
  const refused = await stranger.put('a', Buffer.from('a')).catch((error: unknown) => String(error));
  expect(refused).toMatch(/answered 403 SignatureDoesNotMatch/);
  expect(refused).not.toContain('not-the-secret');
  expect(await bucketProblem(stranger, 'media.s3.endpoint')).toMatchObject({
    message: matching(/^media\.s3\.credentialsDirectory: .* cannot be written: .* 403 SignatureDoesNotMatch$/),
    passing: false,
  });
  await rm(join(directory, 'secretAccessKey'));
  await expect(stranger.get('a', 1)).rejects.toThrow('needs the files accessKeyId and secretAccessKey');
  const nowhere = open({ bucket: 'not-there' });
  await expect(nowhere.put('a', Buffer.from('a'))).rejects.toThrow('there is no bucket not-there');
  await expect(nowhere.get('a', 1)).rejects.toThrow('there is no bucket not-there');
  expect(await bucketProblem(nowhere, 'media.s3.endpoint')).toMatchObject({
    message: matching(/^media\.s3\.bucket: /),
    passing: false,
  });
  await Promise.all([stranger.close(), nowhere.close()]);
  await rm(directory, { recursive: true, force: true });
});

test('a bucket is fit for files when an object can be written, read and deleted; nothing of that stays', async () => {
  const store = open({ prefix: 'files/test.example:8448/media/' });
  expect(await bucketProblem(store, 'media.s3.endpoint')).toBeUndefined();
  expect(await namesOf(store, '')).toEqual([]);
  await store.close();
});

test('a server that takes requests and says nothing is given up', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const endpoint = typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : '';
  const store = open({ endpoint, patience: { tries: 2, requestMs: 50 } });
  expect(await bucketProblem(store, 'media.s3.endpoint')).toMatchObject({
    message: matching(/^media\.s3\.endpoint: .* cannot be reached \(ETIMEDOUT\)$/),
    passing: true,
  });
  await store.close();
  silent.closeAllConnections();
  silent.close();
});

test('a server that goes away comes back within the retries of a request', async () => {
  const store = open();
  await server.kill();
  const hasty = open({ patience: { tries: 1, requestMs: 60_000 } });
  expect(await bucketProblem(hasty, 'media.s3.endpoint')).toMatchObject({ passing: true });
  await hasty.close();
  const written = store.put('again', Buffer.from('again'));
  await server.start();
  await written;
  expect((await store.get('again', 100))?.toString()).toBe('again');
  await store.close();
});

test("a pod's own identity is exchanged for credentials, once", async () => {
  const directory = await mkdtemp(join(tmpdir(), 'matrix-operator-test-s3-'));
  const tokenFile = join(directory, 'token');
  await writeFile(tokenFile, 'a token of the cluster\n');
  const forms: string[] = [];
  const tokens: unknown[] = [];
  const sts = createServer((request, response) => {
    if (request.method !== 'POST') {
      tokens.push(request.headers['x-amz-security-token']);
      response.end();
      return;
    }
    request.on('data', (chunk: Buffer) => forms.push(chunk.toString()));
    request.on('end', () => {
      const given = { AccessKeyId: 'role', SecretAccessKey: 'secret', SessionToken: 'session' };
      const Credentials = { ...given, Expiration: Date.now() / 1000 + 3600 };
      const result = { AssumeRoleWithWebIdentityResult: { Credentials } };
      response.end(JSON.stringify({ AssumeRoleWithWebIdentityResponse: result }));
    });
  });
  await new Promise<void>((resolve) => sts.listen(0, '127.0.0.1', resolve));
  const address = sts.address();
  const endpoint = typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : '';
  const webIdentity = { roleArn: 'arn:aws:iam::1:role/backup', tokenFile, endpoint };
  const store = open({ endpoint, credentials: { webIdentity } });
  await Promise.all([store.put('a', Buffer.from('x')), store.put('b', Buffer.from('x'))]);
  expect(tokens).toEqual(['session', 'session']);
  expect(forms).toHaveLength(1);
  expect(Object.fromEntries(new URLSearchParams(forms[0]))).toMatchObject({
    Action: 'AssumeRoleWithWebIdentity',
    RoleArn: 'arn:aws:iam::1:role/backup',
    WebIdentityToken: 'a token of the cluster',
  });
  await store.close();
  sts.close();
  await rm(directory, { recursive: true, force: true });
});
