import { randomUUID } from 'node:crypto';
import type { DatabaseLogin } from '../database/connect.ts';
import { deriveDatabaseName } from '../database/database-name.ts';
import { newPassword } from '../database/rotate-login.ts';
import type { NextLogin } from '../database/rotate-login.ts';
import { PASSWORD_VERSION_ANNOTATION, PROVISIONED_ANNOTATION, databaseSecret } from '../resources/secrets.ts';
import { SERVER_NAME_ANNOTATION } from '../resources/labels.ts';
import { findOrCreate } from './create-or-read.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { SecretData } from './secret-data.ts';
import { readSecret } from './secret-data.ts';
import type { StepContext } from './step.ts';

/** The content of `<n>-db`. */
export interface DatabaseAccess {
  /** UUID that marks the database as belonging to this resource. */
  readonly claim: string;
  /** Database and owner role; empty with `database.existing`. */
  readonly name: string;
  /** Login role in use: `<name>_0` or `<name>_1`. */
  readonly login: 0 | 1;
  readonly password: string;
  /** `database.passwordVersion` that the password was made for; undefined with `database.existing`. */
  readonly passwordVersion: number | undefined;
  /** True once the database was there. */
  readonly provisioned: boolean;
  /** What the Secret holds. */
  readonly values: Readonly<Record<string, string>>;
  readonly secret: SecretData;
}

type Ensured =
  | { readonly ok: true; readonly access: DatabaseAccess }
  | { readonly ok: false; readonly message: string };

/**
 * Makes `<n>-db`, or repairs what was edited in it. The claim comes from the Secret, else from the status, else it is
 * new. A Secret made anew gets the login role that was not in use: pods with the old one keep their connections.
 */
export async function ensureDatabaseSecret(ctx: StepContext, admin: DatabaseLogin | undefined): Promise<Ensured> {
  const { names, homeserver } = ctx;
  const fresh = () => manifestOf(ctx, wantedAccess(ctx, admin, undefined));
  const found = await findOrCreate(ctx, names.databaseSecret, fresh);
  const belongsTo = found.annotations[SERVER_NAME_ANNOTATION] ?? homeserver.spec.serverName;
  if (belongsTo !== homeserver.spec.serverName) return { ok: false, message: otherServer(ctx, belongsTo) };
  const wanted = wantedAccess(ctx, admin, found);
  if (sameValues(found.values, wanted.values)) return { ok: true, access: { ...wanted, secret: found } };
  return { ok: true, access: { ...wanted, secret: await update(ctx, wanted, found) } };
}

/** Notes on `<n>-db` that the database was there, before anything relies on it. */
export async function markProvisioned(ctx: StepContext, access: DatabaseAccess): Promise<void> {
  if (access.provisioned) return;
  await update(ctx, { ...access, provisioned: true }, access.secret);
}

/** Writes the login and the password that the replicas move to, in one write. */
export async function writeNextLogin(
  ctx: StepContext,
  { admin, access }: { readonly admin: DatabaseLogin; readonly access: DatabaseAccess },
  next: NextLogin,
): Promise<void> {
  const { passwordVersion } = ctx.homeserver.spec.database;
  const values = serverValues(admin, { ...access, ...next });
  await update(ctx, { values, provisioned: true, passwordVersion }, access.secret);
}

/** Whether `<n>-db` still names the login of `access`. */
export async function isLoginCurrent({ env, owner, names }: StepContext, access: DatabaseAccess): Promise<boolean> {
  const found = await readSecret(env.direct, { namespace: owner.namespace, name: names.databaseSecret });
  return found?.values['username'] === access.values['username'];
}

type Wanted = Omit<DatabaseAccess, 'secret'>;

/** `admin` is undefined with `database.existing`. */
function wantedAccess(ctx: StepContext, admin: DatabaseLogin | undefined, found: SecretData | undefined): Wanted {
  const last = ctx.homeserver.status.database;
  const values = found?.values ?? {};
  const claim = nonEmpty(values['claim']) ?? last?.claim ?? randomUUID();
  const provisioned = isMarked(found) || last?.claim !== undefined;
  if (admin === undefined) {
    return { claim, name: '', login: 0, password: '', passwordVersion: undefined, provisioned, values: { claim } };
  }
  const name = databaseName(ctx);
  const passwordVersion = versionOf(ctx, found);
  const known = { claim, name, passwordVersion, provisioned, ...loginOf(name, values, last?.loginRole) };
  return { ...known, values: serverValues(admin, known) };
}

/** A Secret made anew has a new password, so it counts as made for the version that is wanted now. */
function versionOf({ homeserver }: StepContext, found: SecretData | undefined): number {
  if (found === undefined) return homeserver.spec.database.passwordVersion;
  const version = Number(found.annotations[PASSWORD_VERSION_ANNOTATION] ?? '1');
  return Number.isSafeInteger(version) && version > 0 ? version : 0;
}

function isMarked(found: SecretData | undefined): boolean {
  return found?.annotations[PROVISIONED_ANNOTATION] === 'true';
}

/** Name of the database and of its owner role. */
export function databaseName({ env, homeserver }: StepContext): string {
  const { namespace, name } = homeserver.metadata;
  const { clusterName } = env.settings;
  return homeserver.spec.database.name ?? deriveDatabaseName({ clusterName, namespace, name });
}

/** The login that the Secret names; without a usable one, the role that was not in use last, with a new password. */
function loginOf(name: string, values: Readonly<Record<string, string>>, lastRole: string | undefined) {
  const password = nonEmpty(values['password']);
  const login = ([0, 1] as const).find((number) => values['username'] === `${name}_${number}`);
  if (password !== undefined && login !== undefined) return { login, password };
  return { login: lastRole === `${name}_0` ? (1 as const) : (0 as const), password: newPassword() };
}

type Known = Pick<DatabaseAccess, 'claim' | 'name' | 'login' | 'password'>;

/** The authority of a server entry comes along: pods cannot read the entry. */
function serverValues({ host, port, tls, userIsSecret }: DatabaseLogin, access: Known) {
  const authority = userIsSecret === true && tls.caCertificate !== undefined ? { 'ca.crt': tls.caCertificate } : {};
  return {
    ...authority,
    claim: access.claim,
    host,
    port: String(port),
    dbname: access.name,
    username: `${access.name}_${access.login}`,
    password: access.password,
  };
}

type Writable = Pick<Wanted, 'values' | 'provisioned' | 'passwordVersion'>;

function manifestOf({ owner, homeserver }: StepContext, { values, provisioned, passwordVersion }: Writable) {
  const { serverName } = homeserver.spec;
  return databaseSecret({ owner, serverName, data: values, provisioned, passwordVersion });
}

/** Guarded by the version that was read: of two operators one gets 409 and looks again. */
async function update(ctx: StepContext, wanted: Writable, found: SecretData): Promise<SecretData> {
  const manifest = manifestOf(ctx, wanted);
  const { resourceVersion } = found.object.metadata;
  const guarded = { ...manifest, metadata: { ...manifest.metadata, resourceVersion } };
  const object = await ctx.env.client.apply(KINDS.secret, guarded, MANAGERS.secrets);
  return { ...found, object, values: wanted.values };
}

function sameValues(found: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => found[key] === value);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function otherServer({ owner, names }: StepContext, serverName: string): string {
  return (
    `Secret ${owner.namespace}/${names.databaseSecret} was kept for the server ${serverName}; ` +
    'give this resource another name, or delete that Secret if its database is no longer needed'
  );
}
