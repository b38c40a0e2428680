import type { MatrixHomeserver } from '../api/matrix-homeserver.ts';
import type { Reason } from '../api/reasons.ts';
import { REASONS } from '../api/reasons.ts';
import type { GateReport } from '../conditions/observed.ts';
import type { TenantSession } from '../database/sessions.ts';
import { OperatorError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Owner } from '../resources/manifest.ts';
import type { ChildNames } from '../resources/names.ts';
import { KubeError, isTransient } from '../runtime/kube-error.ts';
import type { Environment } from './environment.ts';
import { NotYet } from './not-yet.ts';

/** What every step of one run gets. */
export interface StepContext {
  readonly env: Environment;
  readonly homeserver: MatrixHomeserver;
  /** `namespace/name`. */
  readonly key: string;
  readonly owner: Owner;
  readonly names: ChildNames;
  readonly log: Log;
  /** The session with the tenant's database that the steps of this run share. */
  readonly tenant: TenantSession;
  /** Aborts when this process shall stop or leads no more: no further step is begun. */
  readonly signal: AbortSignal;
}

export interface Done<T> {
  readonly state: 'done';
  readonly message: string;
  readonly value: T;
  /** When there will be something to do although nothing changes, in ms from now. */
  readonly againAfterMs?: number;
}

/** `retryAfterMs` absent: after the key's growing backoff. */
export interface Waiting {
  readonly state: 'waiting';
  readonly reason: Reason;
  readonly message: string;
  readonly retryAfterMs?: number;
}

export interface Blocked {
  readonly state: 'blocked';
  readonly reason: Reason;
  readonly message: string;
}

export interface Skipped {
  readonly state: 'skipped';
  readonly message: string;
}

/** How a step ended. Later steps run if what they need has a value. */
export type StepResult<T> = Done<T> | Waiting | Blocked | Skipped;

export const done = <T>(value: T, message = '', againAfterMs?: number): Done<T> =>
  againAfterMs === undefined ? { state: 'done', value, message } : { state: 'done', value, message, againAfterMs };
export const blocked = (reason: Reason, message: string): Blocked => ({ state: 'blocked', reason, message });
export const skipped = (message: string): Skipped => ({ state: 'skipped', message });
export const waiting = (reason: Reason, message: string, retryAfterMs?: number): Waiting =>
  retryAfterMs === undefined
    ? { state: 'waiting', reason, message }
    : { state: 'waiting', reason, message, retryAfterMs };

/** A refusal by reason: transient ones wait, the rest need a person. */
export function refused(reason: Reason, message: string): Waiting | Blocked {
  return REASONS[reason].class === 'transient' ? waiting(reason, message) : blocked(reason, message);
}

/** The part of a result that conditions are made from. */
export function reportOf(result: StepResult<unknown>): GateReport {
  switch (result.state) {
    case 'done':
      return { state: 'done', message: result.message };
    case 'skipped':
      return result;
    case 'waiting':
    case 'blocked':
      return { state: result.state, reason: result.reason, message: result.message };
  }
}

/**
 * Runs one step, times it, and turns what it throws into a result: a step never stops the run. Throws only when the process
 * shall stop, so that whoever leads next finds nobody else at work.
 */
export async function runStep<T>(
  ctx: StepContext,
  step: string,
  work: () => Promise<StepResult<T>>,
): Promise<StepResult<T>> {
  ctx.signal.throwIfAborted();
  const stop = ctx.env.metrics.stepSeconds.startTimer({ step });
  try {
    return await work();
  } catch (error) {
    return failure(ctx, step, error);
  } finally {
    stop();
  }
}

function failure(ctx: StepContext, step: string, error: unknown): Waiting | Blocked {
  if (error instanceof NotYet) return waiting(error.reason, error.message, error.retryAfterMs);
  if (error instanceof OperatorError) return refused(error.reason, withWayOut(error));
  if (error instanceof KubeError) return kubeFailure(ctx, error);
  ctx.log.error({ step, err: error }, 'a step failed for a reason that nobody foresaw');
  return waiting('InternalError', `step ${step} failed: ${error instanceof Error ? error.message : 'unknown error'}`);
}

/** PostgreSQL says what it forbids, but not what would allow it. */
function withWayOut({ reason, message }: OperatorError): string {
  return reason === 'InsufficientPrivilege' ? `${message}. ${REASONS[reason].wayOut}` : message;
}

function kubeFailure(ctx: StepContext, error: KubeError): Waiting | Blocked {
  if (isTransient(error)) return waiting('ApiUnavailable', error.message, error.retryAfterMs);
  if (error.status === 403 && !terminating(error)) return blocked('NamespaceNotGranted', notGranted(ctx, error));
  return blocked('ObjectInvalid', error.message);
}

/** In a namespace that is being deleted the API server forbids creations, whatever our rights. */
function terminating(error: KubeError): boolean {
  return error.message.includes('being terminated');
}

function notGranted({ env, owner }: StepContext, error: KubeError): string {
  const { namespace, name } = env.settings.serviceAccount;
  return `the operator may not work in namespace ${owner.namespace} (${error.message}). Apply:
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: matrix-operator, namespace: ${owner.namespace}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${env.settings.tenantRole}}
subjects: [{kind: ServiceAccount, name: ${name}, namespace: ${namespace}}]`;
}
