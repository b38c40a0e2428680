import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { type Replica, startReplica } from '../../homeserver/commands/start-replica.ts';
import { generateKeyring } from '../../homeserver/config/generate-key.ts';
import { HomeserverConfig } from '../../homeserver/contract/config-schema.ts';
import { createLogger } from '../../homeserver/log.ts';
import { createDatabase, TEST_SERVER_NAME, type TestDatabase } from './postgres.ts';
import { openSpecCheck } from './spec-schemas.ts';

/** An answer with its body parsed. */
export interface Answer {
  status: number;
  headers: Headers;
  /** The JSON body; undefined when there is none. */
  body: unknown;
}

export interface RequestOptions {
  /** Access token. */
  token?: string | undefined;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  rawBody?: string | Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  /** Which replica is asked; when absent the next one in turn, or the first with `spread: false`. */
  replica?: number;
  signal?: AbortSignal;
}

/** A user with one device. */
export interface TestUser {
  userId: string;
  localpart: string;
  password: string;
  token: string;
  deviceId: string;
}

export interface TestHomeserver {
  readonly serverName: string;
  readonly database: TestDatabase;
  readonly replicas: readonly Replica[];
  readonly keyringFile: string;
  /** `http://127.0.0.1:<port>` of a replica. */
  url(replica?: number): string;
  /**
   * One request; never rejects because of a status, but when the answer is not as the specification's schemas have it (where its
   * data is at hand).
   */
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** Makes an account, with a name of its own when none is given, by the registration endpoints. */
  register(localpart?: string, options?: { password?: string; replica?: number }): Promise<TestUser>;
  /** One more device of a user. */
  login(user: TestUser, options?: { deviceId?: string; replica?: number }): Promise<TestUser>;
  /** One more replica on the same database. */
  addReplica(): Promise<Replica>;
  stop(): Promise<void>;
}

/** The configuration as a file would hold it: everything optional. */
export type TestConfig = Partial<Omit<z.input<typeof HomeserverConfig>, 'serverName' | 'database' | 'listeners'>>;

export interface HomeserverOptions {
  /** As many as the whole suite runs on when absent; TEST_REPLICAS changes that. */
  replicas?: number;
  /**
   * Whether a request that names no replica goes to the next one in turn, as behind a plain load balancer [true], or to the first, for
   * a file that says why it is about one replica.
   */
  spread?: boolean;
  /** `lost`: no notification of one replica ever reaches another, so only what they read in time keeps them together. */
  wakeUps?: 'sent' | 'lost';
  /** Laid over: registration open, rate limits off, and no presence, which would wake polls. */
  config?: TestConfig;
  /** A database that is there already; dropped at the end all the same. */
  database?: TestDatabase;
}

/** Replicas behind each API test: whatever one has acknowledged, the next must know of. */
const SUITE_REPLICAS = Number(process.env['TEST_REPLICAS'] ?? '2');

/** Replicas in this process, on real HTTP ports and a fresh database. */
export async function startHomeserver(options: HomeserverOptions = {}): Promise<TestHomeserver> {
  const database = options.database ?? (await createDatabase());
  if (options.wakeUps === 'lost') await loseWakeUps(database);
  const folder = await mkdtemp(join(tmpdir(), 'matrix-operator-test-hs-'));
  const keyringFile = join(folder, 'keyring.json');
  await writeFile(keyringFile, JSON.stringify(generateKeyring(TEST_SERVER_NAME, 86_400)));
  const config = HomeserverConfig.parse({
    registration: { mode: 'Open' },
    rateLimits: { enabled: false },
    presence: { mode: 'Disabled' },
    ...options.config,
    keyringFile,
    serverName: TEST_SERVER_NAME,
    database: database.config,
    listeners: { http: { host: '127.0.0.1', port: 0 }, metrics: { host: '127.0.0.1', port: 0 } },
  });
  const homeserver = new InProcessHomeserver({
    database,
    folder,
    keyringFile,
    config,
    spread: options.spread !== false,
  });
  try {
    for (let i = 0; i < (options.replicas ?? SUITE_REPLICAS); i += 1) await homeserver.addReplica();
  } catch (error) {
    await homeserver.stop();
    throw error;
  }
  return homeserver;
}

const Session = z.looseObject({ user_id: z.string(), access_token: z.string(), device_id: z.string() });

interface HomeserverParts {
  readonly database: TestDatabase;
  readonly folder: string;
  readonly keyringFile: string;
  readonly config: HomeserverConfig;
  readonly spread: boolean;
}

let users = 0;

const checkAnswer = openSpecCheck();

class InProcessHomeserver implements TestHomeserver {
  readonly serverName = TEST_SERVER_NAME;
  readonly database: TestDatabase;
  readonly replicas: Replica[] = [];
  readonly keyringFile: string;
  readonly #folder: string;
  readonly #config: HomeserverConfig;
  readonly #spread: boolean;
  #requests = 0;

  constructor(parts: HomeserverParts) {
    this.database = parts.database;
    this.keyringFile = parts.keyringFile;
    this.#folder = parts.folder;
    this.#config = parts.config;
    this.#spread = parts.spread;
  }

  #next(): number {
    this.#requests += 1;
    return this.#spread ? this.#requests % this.replicas.length : 0;
  }

  async addReplica(): Promise<Replica> {
    const log = createLogger({ level: process.env['TEST_LOG'] === undefined ? 'silent' : 'debug' });
    const replica = await startReplica({ config: this.#config, log, softwareVersion: 'test' });
    this.replicas.push(replica);
    return replica;
  }

  url(replica = 0): string {
    const found = this.replicas[replica];
    if (found === undefined) throw new Error(`there is no replica ${replica}`);
    return `http://127.0.0.1:${found.httpPort}`;
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    const headers = new Headers(options.headers);
    if (options.token !== undefined) headers.set('authorization', `Bearer ${options.token}`);
    const body = options.rawBody ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    if (body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
    const response = await fetch(this.url(options.replica ?? this.#next()) + path, {
      method,
      headers,
      ...(body !== undefined && { body }),
      ...(options.signal !== undefined && { signal: options.signal }),
    });
    const text = await response.text();
    const answer = { status: response.status, headers: response.headers, body: bodyOf(text) };
    const fault = await checkAnswer?.({ method, path, status: answer.status, body: answer.body });
    if (fault !== undefined && fault !== '') throw new Error(fault);
    return answer;
  }

  async register(localpart?: string, options: { password?: string; replica?: number } = {}): Promise<TestUser> {
    const username = localpart ?? `user${(users += 1)}`;
    const password = options.password ?? `password of ${username}`;
    const answer = await this.request('POST', '/_matrix/client/v3/register', {
      body: { username, password, auth: { type: 'm.login.dummy' } },
      ...(options.replica !== undefined && { replica: options.replica }),
    });
    return toUser(answer, username, password);
  }

  async login(user: TestUser, options: { deviceId?: string; replica?: number } = {}): Promise<TestUser> {
    const { localpart, password } = user;
    const identifier = { type: 'm.id.user', user: localpart };
    const answer = await this.request('POST', '/_matrix/client/v3/login', {
      body: { type: 'm.login.password', identifier, password, device_id: options.deviceId },
      ...(options.replica !== undefined && { replica: options.replica }),
    });
    return toUser(answer, localpart, password);
  }

  async stop(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.stop({ settleMs: 0, drainMs: 5000 })));
    await this.database.drop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function bodyOf(text: string): unknown {
  return text === '' ? undefined : JSON.parse(text);
}

function toUser(answer: Answer, localpart: string, password: string): TestUser {
  if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  const session = Session.parse(answer.body);
  return { userId: session.user_id, localpart, password, token: session.access_token, deviceId: session.device_id };
}

/** Connections made from now on find a function that does nothing before the one of PostgreSQL. */
async function loseWakeUps(database: TestDatabase): Promise<void> {
  const client = await database.connect();
  await client.query(`create schema lost;
    create function lost.pg_notify(text, text) returns void language sql as 'select';
    alter database ${database.name} set search_path = lost, public, pg_catalog`);
}
