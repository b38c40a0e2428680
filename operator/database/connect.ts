import { checkServerIdentity } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { QueryResultRow } from 'pg';
import { isSilence, isUnanswered, toFailure } from './pg-failure.ts';
import type { Target } from './pg-failure.ts';

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
  /** Holds the session open from one use to the next; absent: each use logs in and out. */
  readonly keeper?: SessionKeeper;
}

/** One session that several uses share, one after another. */
export interface SessionKeeper {
  /** Runs `work` in the session that is open for this login, or opens it. */
  use<T>(login: DatabaseLogin, work: (session: Session) => Promise<T>): Promise<T>;
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

/**
 * Set by a statement, not by start-up options, which session pools refuse. The schema is named because whoever owns the
 * database may have set a search path that puts functions of theirs first.
 */
const PREPARE = `select pg_catalog.set_config('search_path', 'pg_catalog', false),
  pg_catalog.set_config('statement_timeout', '30s', false), pg_catalog.set_config('lock_timeout', '10s', false),
  pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', false),
  pg_catalog.set_config('standard_conforming_strings', 'on', false)`;

/** A session that is logged in. */
export interface OpenSession {
  readonly session: Session;
  /** Logs out; never rejects. */
  end(): Promise<void>;
}

/** Told of each sign of life, and of each time that a server gave none. */
export type OnContact = (answers: boolean) => void;

/**
 * Logs in. Errors: OperatorError DatabaseUnreachable, LoginRefused, TLSInvalid, DatabaseLost (3D000), InsufficientPrivilege,
 * LockHeld.
 */
export async function connect(login: DatabaseLogin, onContact: OnContact): Promise<OpenSession> {
  const target = { ...login, tlsMode: login.tls.mode };
  const client = newClient(login, target);
  // A connection that breaks between two statements is reported by the next statement.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(PREPARE);
    onContact(true);
  } catch (error) {
    await close(client);
    if (isSilence(error)) onContact(false);
    throw toFailure(error, target);
  }
  return { session: sessionOf(client, target, onContact), end: () => close(client) };
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

function sessionOf(client: pg.Client, target: Target, onContact: OnContact): Session {
  let isBroken = false;
  async function query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    try {
      return (await client.query<Row>(text, [...values])).rows;
    } catch (error) {
      isBroken ||= isSilence(error);
      if (isUnanswered(error)) onContact(false);
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
        // Where the connection is what broke, the server rolls back by itself, and would be waited for in vain.
        if (!isBroken) await query('rollback').catch(() => undefined);
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
