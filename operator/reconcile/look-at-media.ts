import type { MediaReport } from '../conditions/observed.ts';
import { clientUrl } from '../resources/client-service.ts';
import type { DeploymentCopy } from './child-copies.ts';
import { mediaState } from './probe-media.ts';
import type { StepContext, StepResult } from './step.ts';
import { done } from './step.ts';

/** A bucket that does not answer is asked about again after so long, in ms. */
const AGAIN_MS = 60_000;

/** What the replicas say of the bucket for files; undefined where there is none. It gates nothing: rooms have no need of it. */
export async function lookAtMedia(
  ctx: StepContext,
  deployment: DeploymentCopy | undefined,
): Promise<StepResult<MediaReport | undefined>> {
  if (ctx.homeserver.spec.media?.s3 === undefined) return done(undefined);
  const report = await reportOf(ctx, deployment);
  return done(report, '', report.state === 'unusable' ? AGAIN_MS : undefined);
}

async function reportOf({ env, owner }: StepContext, deployment: DeploymentCopy | undefined): Promise<MediaReport> {
  if (!env.settings.probeServices) return { state: 'unknown', because: 'the operator asks no replica (probe.enabled)' };
  if ((deployment?.readyReplicas ?? 0) === 0) return { state: 'unknown', because: 'no replica is ready' };
  return mediaState(clientUrl(owner));
}
