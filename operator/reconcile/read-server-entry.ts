import type { DatabaseLogin } from '../database/connect.ts';
import { allowsNamespace, parseServerEntry } from '../database/server-entry.ts';
import { OperatorError } from '../errors.ts';
import { DATABASE_SERVER_LABEL } from '../resources/labels.ts';
import { isForbidden } from '../runtime/kube-error.ts';
import type { KubeObject } from '../runtime/kube-object.ts';
import { KINDS } from './kinds.ts';
import { decodeSecret, withoutLineEnds } from './secret-data.ts';
import type { StepContext } from './step.ts';

/**
 * The administrator's login of the server entry `name`, if it lets this namespace in. Errors: ServerNotAllowed (also
 * when there is no such entry, so that nobody finds out by asking), SecretMissing, KubeError.
 */
export async function readServerEntry(ctx: StepContext, name: string): Promise<DatabaseLogin> {
  // Who is taken off the list must still be able to clean up; what is dropped is proven by the claim.
  const isLeaving = ctx.homeserver.metadata.deletionTimestamp !== undefined;
  const offered = (await listEntries(ctx, name))
    .map(decodeSecret)
    .filter(({ values }) => isLeaving || allowsNamespace(values['namespaces'], ctx.owner.namespace));
  const [secret] = offered;
  if (secret === undefined) throw new OperatorError('ServerNotAllowed', notOffered(ctx, name));
  if (offered.length > 1) {
    const message = `database server "${name}" is offered by ${offered.length} Secrets; the platform team must leave one`;
    throw new OperatorError('ServerNotAllowed', message);
  }
  const parsed = parseServerEntry(withoutLineEnds(secret.values));
  if (!parsed.ok) {
    const message = `the entry of database server "${name}" is incomplete: ${parsed.message}; the platform team must correct it`;
    throw new OperatorError('SecretMissing', message);
  }
  const { maintenanceDatabase: database, ...rest } = parsed.entry;
  return { ...rest, database, credentials: `the entry of database server "${name}"`, userIsSecret: true };
}

async function listEntries({ env }: StepContext, name: string): Promise<readonly KubeObject[]> {
  const { namespace } = env.settings.serviceAccount;
  try {
    const labelSelector = `${DATABASE_SERVER_LABEL}=${name}`;
    return (await env.client.list(KINDS.secret, { namespace, labelSelector })).items;
  } catch (error) {
    if (!isForbidden(error)) throw error;
    const message = `the operator may not list Secrets in its own namespace ${namespace}; install the Role that the chart brings`;
    throw new OperatorError('ServerNotAllowed', message, error);
  }
}

function notOffered({ owner }: StepContext, name: string): string {
  return (
    `no database server "${name}" is offered to namespace ${owner.namespace}; ` +
    'correct database.serverRef.name, or ask the platform team to add the namespace to the entry'
  );
}
