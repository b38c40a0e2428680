import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary } from '../cluster/binaries.ts';
import { type ServerProcess, startServer } from '../cluster/child-process.ts';
import { waitFor } from './wait-for.ts';

/** An S3 server over a folder, with one bucket. */
export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** A folder with the files accessKeyId and secretAccessKey. */
  readonly credentials: string;
  /** Where the objects of the bucket lie as files. */
  readonly folder: string;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const ACCESS = { accessKeyId: 'test-access', secretAccessKey: 'test-secret-that-is-long-enough' } as const;
const BUCKET = 'example-backup';
const REGION = 'eu-central-1';

/** Starts versitygw on a free port of the loopback address; it ends with this process. */
export async function startS3Server(): Promise<S3Server> {
  const program = await binary('versitygw');
  const root = await mkdtemp(join(tmpdir(), 'matrix-operator-s3-'));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = join(root, 'credentials');
  await mkdir(join(root, 'data', BUCKET), { recursive: true });
  await mkdir(credentials);
  for (const [file, text] of Object.entries(ACCESS)) await writeFile(join(credentials, file), `${text}\n`);
  const { accessKeyId, secretAccessKey } = ACCESS;
  const words = [
    '--access',
    accessKeyId,
    '--secret',
    secretAccessKey,
    '--port',
    `127.0.0.1:${port}`,
    '--region',
    REGION,
  ];
  let server: ServerProcess | undefined;
  const start = async () => {
    server = await startServer(program, [...words, 'posix', join(root, 'data')], join(root, 'log'));
    await waitFor(async () => (await fetch(endpoint)).status > 0, { what: 'the S3 server to answer' });
  };
  await start();
  return {
    endpoint,
    bucket: BUCKET,
    region: REGION,
    accessKeyId,
    secretAccessKey,
    credentials,
    folder: join(root, 'data', BUCKET),
    kill: async () => server?.kill(),
    start,
    stop: async () => {
      await server?.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
