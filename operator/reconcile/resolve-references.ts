import type { S3Location } from '../api/s3-location.ts';
import type { DatabaseLogin, TlsSettings } from '../database/connect.ts';
import { OperatorError } from '../errors.ts';
import { readServerEntry } from './read-server-entry.ts';
import { ensureTurnSecret } from './ensure-turn-secret.ts';
import type { StepContext } from './step.ts';
import { readSecret, withoutLineEnds } from './secret-data.ts';

/** The Secrets of users that the resource names, read. */
export interface References {
  readonly tls: TlsSettings;
  /** With `database.server` and `database.serverRef`: the administrator's login on the maintenance database. */
  readonly admin: DatabaseLogin | undefined;
  /** With `database.existing`: the login to use as it is. */
  readonly existing: DatabaseLogin | undefined;
  /** Names and values of the Secrets that the configuration and integrations point at, in a fixed order. */
  readonly extra: readonly string[];
}

/** Reads what the spec refers to. Errors: SecretMissing, ServerNotAllowed, KubeError. */
export async function resolveReferences(ctx: StepContext): Promise<References> {
  const { database, media } = ctx.homeserver.spec;
  const extra = await readExtra(ctx);
  // Pods read them anew for each request, so a change of them rolls nothing.
  if (media?.s3 !== undefined) await checkS3Credentials(ctx, media.s3);
  const admin = await readAdmin(ctx);
  if (admin !== undefined) return { tls: admin.tls, admin, existing: undefined, extra };
  const tls = await readTls(ctx);
  const existing = database.existing === undefined ? undefined : await readExisting(ctx, database.existing, tls);
  return { tls, admin, existing, extra };
}

async function readExtra(ctx: StepContext): Promise<string[]> {
  const parts: string[] = [];
  for (const { name } of ctx.homeserver.spec.configSecretRefs ?? []) {
    const values = await readKeys(ctx, name, []);
    parts.push(name, ...Object.entries(values).flat());
  }
  return [...parts, ...(await readTurnSecret(ctx))];
}

/** That of a managed TURN server is made, so that the replicas need not wait for the server. */
async function readTurnSecret(ctx: StepContext): Promise<string[]> {
  const { turn } = ctx.homeserver.spec.integrations ?? {};
  if (turn?.managed !== undefined) return [(await ensureTurnSecret(ctx)).secret];
  const ref = turn?.external?.secretRef;
  return ref === undefined ? [] : [(await readKeys(ctx, ref.name, [ref.key]))[ref.key] ?? ''];
}

/** The administrator's login; undefined with `database.existing`. Errors: SecretMissing, ServerNotAllowed, KubeError. */
export async function readAdmin(ctx: StepContext): Promise<DatabaseLogin | undefined> {
  const { serverRef, server } = ctx.homeserver.spec.database;
  if (serverRef !== undefined) return readServerEntry(ctx, serverRef.name);
  return server === undefined ? undefined : readServerAdmin(ctx, server, await readTls(ctx));
}

async function readTls(ctx: StepContext): Promise<TlsSettings> {
  const { mode, caSecretRef } = ctx.homeserver.spec.database.tls;
  if (caSecretRef === undefined) return { mode };
  const values = await readKeys(ctx, caSecretRef.name, [caSecretRef.key]);
  return { mode, caCertificate: values[caSecretRef.key] };
}

type ServerSpec = NonNullable<StepContext['homeserver']['spec']['database']['server']>;

async function readServerAdmin(ctx: StepContext, server: ServerSpec, tls: TlsSettings): Promise<DatabaseLogin> {
  const { name } = server.adminSecretRef;
  const { username = '', password = '' } = await readKeys(ctx, name, ['username', 'password']);
  return {
    host: server.host,
    port: server.port,
    database: server.maintenanceDatabase,
    username,
    password,
    tls,
    credentials: `Secret ${ctx.owner.namespace}/${name}`,
  };
}

async function readExisting(
  ctx: StepContext,
  existing: { readonly secretRef: { readonly name: string } },
  tls: TlsSettings,
): Promise<DatabaseLogin> {
  const { name } = existing.secretRef;
  const keys = ['host', 'port', 'dbname', 'username', 'password'];
  const { host = '', port = '', dbname = '', username = '', password = '' } = await readKeys(ctx, name, keys);
  const credentials = `Secret ${ctx.owner.namespace}/${name}`;
  if (!/^[1-9][0-9]{0,4}$/.test(port)) throw new OperatorError('SecretMissing', `${credentials}: port is not a number`);
  return { host, port: Number(port), database: dbname, username, password, tls, credentials };
}

/**
 * Reads the Secret that a pod mounts to be let into a bucket: it would wait for a missing one without a word. Errors:
 * SecretMissing, KubeError.
 */
export async function checkS3Credentials(ctx: StepContext, { credentialsSecretRef }: S3Location): Promise<void> {
  if (credentialsSecretRef !== undefined) {
    await readKeys(ctx, credentialsSecretRef.name, ['accessKeyId', 'secretAccessKey']);
  }
}

/** Values of a Secret of the resource's namespace, all of `keys` among them. Errors: SecretMissing, KubeError. */
export async function readKeys(
  ctx: StepContext,
  name: string,
  keys: readonly string[],
): Promise<Record<string, string>> {
  const { namespace } = ctx.owner;
  const secret = await readSecret(ctx.env.client, { namespace, name });
  const wanted =
    keys.length === 0 ? 'create it' : `create it with the key${keys.length > 1 ? 's' : ''} ${keys.join(', ')}`;
  if (secret === undefined)
    throw new OperatorError('SecretMissing', `Secret ${namespace}/${name} is missing: ${wanted}`);
  const values = withoutLineEnds(secret.values);
  const missing = keys.filter((key) => (values[key] ?? '') === '');
  if (missing.length > 0) {
    throw new OperatorError('SecretMissing', `Secret ${namespace}/${name} lacks ${missing.join(', ')}: ${wanted}`);
  }
  return values;
}
