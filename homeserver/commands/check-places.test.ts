import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { HomeserverConfig } from '../contract/config-schema.ts';
import { checkPlaces } from './check-places.ts';

let folder: string;
let refusing: Server;
let endpoint: string;
const asked: string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-places-'));
  await writeFile(join(folder, 'accessKeyId'), 'key');
  await writeFile(join(folder, 'secretAccessKey'), 'never shown');
  refusing = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
  });
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  const address = refusing.address();
  endpoint = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
});
afterAll(async () => {
  refusing.close();
  await rm(folder, { recursive: true, force: true });
});

const check = (s3: object) => {
  const bucket = { bucket: 'files', forcePathStyle: true, credentialsDirectory: folder };
  const config = HomeserverConfig.parse({ serverName: 'test.example:8448', media: { s3: { ...bucket, ...s3 } } });
  return checkPlaces(config, 'homeserver.yaml');
};

test('a bucket that refuses is a fault of the configuration; the place asked is that of this server', async () => {
  const refusal = await check({ endpoint, prefix: 'a/' }).catch((error: unknown) => String(error));
  expect(refusal).toMatch(
    /ConfigError: homeserver\.yaml cannot be used:\n {2}media\.s3: .* answered 403 AccessDenied$/,
  );
  expect(refusal).not.toContain('never shown');
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatch(/^PUT \/files\/a\/test\.example%3A8448\/media\/\.writable-[0-9a-f]{16}$/);
});

test('a bucket that does not answer is told and refuses nothing', async () => {
  expect(await check({ endpoint: 'http://127.0.0.1:1' })).toMatch(
    /^media\.s3\.endpoint: .* cannot be reached \(ECONNREFUSED\)$/,
  );
});

test('without credentials nothing is asked: the field is named', async () => {
  vi.stubEnv('AWS_ROLE_ARN', undefined);
  await expect(check({ credentialsDirectory: undefined })).rejects.toThrow(
    /media\.s3\.credentialsDirectory: it is needed/,
  );
  await expect(check({ credentialsDirectory: join(folder, 'nowhere') })).rejects.toThrow(
    /media\.s3\.credentialsDirectory: .* needs the files accessKeyId and secretAccessKey/,
  );
  vi.unstubAllEnvs();
});

test("a pod's identity without its token is named", async () => {
  vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::1:role/files');
  vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(folder, 'no-token'));
  await expect(check({ credentialsDirectory: undefined })).rejects.toThrow(/no-token, cannot be read/);
  vi.unstubAllEnvs();
});
