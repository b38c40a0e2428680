import { checkServerIdentity } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { QueryResultRow } from 'pg';
import { isSilence, toFailure } from './pg-failure.ts';
import type { Target } from './pg-failure.ts';
import { createSessionSlots } from './session-slots.ts';

/** `caCertificate` is PEM; absent: the authorities that Node brings along. */
export interface TlsSettings {
  readonly mode: 'Disable' | 'Require' | 'VerifyCA' | 'VerifyFull';
  readonly caCertificate?: string | undefined;
}

/** Everything that is needed to log in. `credentials` says in messages where they come from ("Secret pg-admin"). */
export interface DatabaseLogin {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  readonly tls: TlsSettings;
  readonly credentials: string;
  /** True for a login that the tenant must not learn: its name is kept out of messages. */
  readonly userIsSecret?: boolean;
}

/** One open session. Statements time out after 30 s, locks after 10 s; search path is pg_catalog alone. */
export interface Session {
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Runs `work` in one transaction; a throw rolls back. */
  transaction<T>(work: () => Promise<T>): Promise<T>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Only for a server that no longer answers at all: its own limit is 30 s. */
const ANSWER_TIMEOUT_MS = 40_000;
const CLOSE_TIMEOUT_MS = 2000;
const slots = createSessionSlots({ perServer: 8, total: 16, waitMs: 30_000, suspectMs: 15_000 });

/**
 * Set by a statement, not by start-up options, which session pools refuse. The schema is named because whoever owns the
 * database may have set a search path that puts functions of theirs first.
 */
const PREPARE = `select pg_catalog.set_config('search_path', 'pg_catalog', false),
  pg_catalog.set_config('statement_timeout', '30s', false), pg_catalog.set_config('lock_timeout', '10s', false),
  pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', false),
  pg_catalog.set_config('standard_conforming_strings', 'on', false)`;

/**
 * Opens a session, runs `work`, closes it. At most 8 sessions to one server and 16 in all; waits up to 30 s for a turn.
 * Errors: OperatorError DatabaseUnreachable, LoginRefused, TLSInvalid, DatabaseLost (3D000), InsufficientPrivilege, LockHeld.
 */
export function withSession<T>(login: DatabaseLogin, work: (session: Session) => Promise<T>): Promise<T> {
  return withTurn(login, 1, () => openSession(login, work));
}

/** Takes the turn for `count` sessions that `work` will open at the same time by `openSession`. */
export function withTurn<T>(login: DatabaseLogin, count: number, work: () => Promise<T>): Promise<T> {
  return slots.use(serverOf(login), count, work);
}

/** As `withSession`, inside a turn that the caller has. */
export async function openSession<T>(login: DatabaseLogin, work: (session: Session) => Promise<T>): Promise<T> {
  const target = { ...login, tlsMode: login.tls.mode };
  const client = newClient(login, target);
  // A connection that breaks between two statements is reported by the next statement.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(PREPARE);
    slots.report(serverOf(login), true);
  } catch (error) {
    await close(client);
    if (isSilence(error)) slots.report(serverOf(login), false);
    throw toFailure(error, target);
  }
  try {
    return await work(sessionOf(client, target));
  } finally {
    await close(client);
  }
}

function serverOf({ host, port }: DatabaseLogin): string {
  return `${host}:${port}`;
}

function newClient(login: DatabaseLogin, target: Target): pg.Client {
  try {
    return new pg.Client({
      host: login.host,
      port: login.port,
      database: login.database,
      user: login.username,
      password: login.password,
      ssl: tlsOptions(login),
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      application_name: 'matrix-operator',
      keepAlive: true,
    });
  } catch (error) {
    throw toFailure(error, target);
  }
}

function tlsOptions({ host, tls: { mode, caCertificate } }: DatabaseLogin): false | ConnectionOptions {
  const ca = caCertificate === undefined ? {} : { ca: caCertificate };
  switch (mode) {
    case 'Disable':
      return false;
    case 'Require':
      return { rejectUnauthorized: false };
    case 'VerifyCA':
      return { ...ca, rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case 'VerifyFull':
      // The driver names no host for an address, and Node would then compare the certificate with "localhost".
      return { ...ca, rejectUnauthorized: true, checkServerIdentity: (_host, cert) => checkServerIdentity(host, cert) };
  }
}

function sessionOf(client: pg.Client, target: Target): Session {
  async function query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    try {
      return (await client.query<Row>(text, [...values])).rows;
    } catch (error) {
      throw toFailure(error, target);
    }
  }
  return {
    query,
    async transaction(work) {
      await query('begin');
      try {
        const result = await work();
        await query('commit');
        return result;
      } catch (error) {
        // The connection may be what broke; the server then rolls back by itself.
        await query('rollback').catch(() => undefined);
        throw error;
      }
    },
  };
}

async function close(client: pg.Client): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
  await Promise.race([client.end().catch(() => undefined), late]);
  clearTimeout(timer);
}
