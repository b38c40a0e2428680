import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createServer } from 'node:tls';

// What Complement needs of an image, and nothing else: one container that is PostgreSQL, the homeserver's own programs and a TLS
// listener in front of them. `prepare` runs while the image is built, `run` each time a container starts. It imports nothing of
// ours: the image holds the bundle only.

const DATA = '/conformance/data';
const RUN = '/conformance/run';
const CONFIG = `${RUN}/homeserver.yaml`;
const CA = '/complement/ca';
const APP = '/app/homeserver.mjs';
const POSTGRES_PORT = 5432;
const HTTP_PORT = 8008;
const FEDERATION_PORT = 8448;

const SETTINGS = {
  host: '127.0.0.1',
  port: String(POSTGRES_PORT),
  dbname: 'matrix',
  username: 'postgres',
  password: 'unused',
};

function postgres(program: string): string {
  const [found] = globSync(`/usr/lib/postgresql/*/bin/${program}`);
  if (found === undefined) throw new Error(`there is no ${program} in this image`);
  return found;
}

function start(program: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'], env: { ...process.env, ...env } });
}

async function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      resolve(code ?? 1);
    });
  });
}

async function run(program: string, args: readonly string[], input = ''): Promise<void> {
  const child = start(program, args);
  child.stdin?.end(input);
  const code = await ended(child);
  if (code !== 0) throw new Error(`${program} ${args[0] ?? ''} ended with ${code}`);
}

/** While the image is built: a database cluster, so that containers start in a second. It trusts its own container only. */
async function prepare(): Promise<void> {
  await run(postgres('initdb'), [
    '--pgdata',
    DATA,
    '--username',
    'postgres',
    '--auth',
    'trust',
    '--encoding',
    'UTF8',
    '--locale',
    'C',
  ]);
  await run(postgres('postgres'), ['--single', '-D', DATA, 'postgres'], 'create database matrix template template0\n');
}

function startPostgres(): ChildProcess {
  // Left by a container that was killed; nobody else can have these files.
  rmSync(`${DATA}/postmaster.pid`, { force: true });
  const socket = ['-c', `unix_socket_directories=${RUN}`, '-c', 'listen_addresses=127.0.0.1'];
  // Containers live for one test: nothing has to survive a power cut.
  return start(postgres('postgres'), ['-D', DATA, ...socket, '-c', 'fsync=off', '-c', 'jit=off']);
}

async function untilConnectable(port: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => {
        resolve(false);
      });
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** A container whose image was taken of a running one recovers first, and its port is open meanwhile. */
async function untilDatabaseReady(): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const port = String(POSTGRES_PORT);
    const look = start(postgres('pg_isready'), ['--host', '127.0.0.1', '--port', port, '--quiet']);
    if ((await ended(look)) === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the database does not get ready');
}

/** The server name is known when the container starts, so everything that holds it is made then; a restart finds it. */
async function configure(serverName: string): Promise<void> {
  mkdirSync(`${RUN}/database`, { recursive: true });
  for (const [name, value] of Object.entries(SETTINGS)) writeFileSync(`${RUN}/database/${name}`, value);
  mkdirSync(`${RUN}/app`, { recursive: true });
  writeFileSync(`${RUN}/app/registration-secret`, 'complement');
  writeFileSync(CONFIG, JSON.stringify(homeserverConfig(serverName)));
  const keyring = `${RUN}/keyring.json`;
  if (!existsSync(keyring)) {
    const keys = start('/usr/local/bin/node', [APP, 'keys', 'generate', '--server-name', serverName, '--out', keyring]);
    if ((await ended(keys)) !== 0) throw new Error('no signing key could be made');
  }
}

function homeserverConfig(serverName: string): object {
  return {
    serverName,
    listeners: { http: { port: HTTP_PORT }, metrics: { host: '127.0.0.1', port: 9000 } },
    database: { directory: `${RUN}/database`, tlsMode: 'Disable' },
    keyringFile: `${RUN}/keyring.json`,
    appDirectory: `${RUN}/app`,
    registration: { mode: 'Open', sharedSecret: 'Enabled' },
    rateLimits: { enabled: false },
    // Most tests expect creators among the users of the power levels.
    rooms: { defaultVersion: '11' },
  };
}

/** A certificate for the server name, signed by the authority that every test program makes anew. */
async function certificate(serverName: string): Promise<{ cert: Buffer; key: Buffer }> {
  const [key, request, cert, names] = ['tls.key', 'tls.csr', 'tls.crt', 'tls.ext'].map((name) => `${RUN}/${name}`);
  const paths = { key: key ?? '', request: request ?? '', cert: cert ?? '', names: names ?? '' };
  writeFileSync(paths.names, `subjectAltName=DNS:${serverName}\n`);
  const made = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${serverName}`];
  await run('openssl', [...made, '-keyout', paths.key, '-out', paths.request]);
  const authority = ['-CA', `${CA}/ca.crt`, '-CAkey', `${CA}/ca.key`, '-set_serial', String(Date.now()), '-days', '1'];
  await run('openssl', [
    'x509',
    '-req',
    '-in',
    paths.request,
    ...authority,
    '-extfile',
    paths.names,
    '-out',
    paths.cert,
  ]);
  return { cert: readFileSync(paths.cert), key: readFileSync(paths.key) };
}

/** Ends TLS as a proxy would do in front of a real server. */
async function serveFederation(serverName: string): Promise<void> {
  const identity = await certificate(serverName);
  const server = createServer(identity, (secure) => {
    const plain = connect(HTTP_PORT, '127.0.0.1');
    secure.pipe(plain).pipe(secure);
    for (const [one, other] of [
      [secure, plain],
      [plain, secure],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(FEDERATION_PORT, resolve);
  });
}

async function runContainer(serverName: string): Promise<number> {
  const database = startPostgres();
  await untilDatabaseReady();
  await configure(serverName);
  const command = (...args: string[]) => [APP, ...args, '--config', CONFIG];
  await run('/usr/local/bin/node', command('migrate', 'expand'));
  const trust = { NODE_EXTRA_CA_CERTS: `${CA}/ca.crt` };
  const homeserver = start('/usr/local/bin/node', command('serve'), trust);
  process.once('SIGTERM', () => homeserver.kill('SIGINT'));
  await untilConnectable(HTTP_PORT);
  await serveFederation(serverName);
  const code = await ended(homeserver);
  database.kill('SIGINT');
  await ended(database);
  return code;
}

const serverName = process.env['SERVER_NAME'];
if (process.argv[2] === 'prepare') await prepare();
else if (serverName === undefined) throw new Error('SERVER_NAME is not set');
else process.exit(await runContainer(serverName));
