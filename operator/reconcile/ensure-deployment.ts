import { OperatorError } from '../errors.ts';
import { deployment } from '../resources/deployment.ts';
import { applyChild } from './apply-child.ts';
import type { DeploymentCopy } from './child-copies.ts';
import { deploymentCopy } from './child-copies.ts';
import { ensureMediaClaim } from './ensure-media-claim.ts';
import type { Secrets } from './ensure-secrets.ts';
import { KINDS, OPENSHIFT_MARK } from './kinds.ts';
import { podFiles, secretsChecksum } from './pod-files.ts';
import type { PodImage } from '../resources/pod-template.ts';
import type { StepContext, StepResult } from './step.ts';
import { blocked, done } from './step.ts';

export interface DeploymentStepInput {
  readonly version: string;
  readonly image: PodImage;
  /** True while another version is being brought in: pods then have to prove themselves. */
  readonly isUpgrading: boolean;
  readonly secrets: Secrets;
  readonly configMap: string;
  readonly cached: DeploymentCopy | undefined;
  /** undefined when the keys could not be looked at: the Deployment keeps what it has. */
  readonly keyringRestart: number | undefined;
}

/** The serving replicas as the spec wants them; the value is the Deployment as it is after that. */
export async function ensureDeployment(
  ctx: StepContext,
  input: DeploymentStepInput,
): Promise<StepResult<DeploymentCopy>> {
  const { cached } = input;
  // Before the pods: they must never mount a volume that holds another server's files.
  await ensureMediaClaim(ctx);
  const manifest = wantedDeployment(ctx, input);
  try {
    const result = await applyChild(ctx, { resource: KINDS.deployment, manifest }, cached);
    if (result.written) return done(deploymentCopy(result.object));
  } catch (error) {
    if (!(error instanceof OperatorError) || error.reason !== 'ObjectInvalid') throw error;
    return blocked('PodTemplateInvalid', `${error.message}; correct spec.pod`);
  }
  if (cached === undefined) throw new OperatorError('ApiUnavailable', 'the Deployment is not in the cache yet');
  return done(cached);
}

function wantedDeployment(ctx: StepContext, input: DeploymentStepInput): ReturnType<typeof deployment> {
  const { version, image, isUpgrading, secrets, cached } = input;
  const { spec } = ctx.homeserver;
  const { minReadySeconds, rolloutSeconds } = ctx.env.settings.upgradeTimes;
  return deployment({
    owner: ctx.owner,
    replicas: spec.replicas,
    image,
    files: podFiles(ctx, input.configMap, secrets.references),
    mediaAccess: spec.media?.persistentVolumeClaim?.accessMode,
    groupIsGiven: ctx.env.discovery.serves(OPENSHIFT_MARK),
    pod: spec.pod,
    version,
    minReadySeconds: isUpgrading ? minReadySeconds : 0,
    deadlineSeconds: rolloutSeconds,
    secretsChecksum: secretsChecksum(secrets),
    keyringRestart: input.keyringRestart ?? cached?.keyringRestart ?? 0,
  });
}
