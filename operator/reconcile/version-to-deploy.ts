import type { PodImage } from '../resources/pod-template.ts';
import type { DeploymentCopy } from './child-copies.ts';
import type { UpgradeDecision } from './decide-upgrade.ts';
import { runningVersion } from './decide-upgrade.ts';
import { wantedVersion } from '../upgrades/plan-wanted.ts';
import { podImage, readSameConfig, resolveImage } from './resolve.ts';
import type { StepContext } from './step.ts';

/** Which pods are wanted now; without a version, the Deployment is left alone or does not appear yet. */
export type VersionToDeploy =
  | { readonly version: string; readonly image: PodImage; readonly isUpgrading: boolean; readonly because: '' }
  | {
      readonly version: undefined;
      readonly image: undefined;
      readonly isUpgrading: false;
      readonly because: string;
    };

/**
 * The plan's version once its pods may roll; before that, and while the database cannot be looked at, what runs already:
 * it is kept up, if it can read the configuration that is rendered now.
 */
export function versionToDeploy(
  ctx: StepContext,
  decision: UpgradeDecision | undefined,
  deployment: DeploymentCopy | undefined,
): VersionToDeploy {
  if (decision?.mayRoll === true) {
    const { plan, image, verified } = decision;
    return { version: plan.to, image, isUpgrading: !verified && plan.kind !== 'Install', because: '' };
  }
  const running = runningVersion(deployment);
  if (running === undefined) return nothing('waits for the schema');
  const { spec } = ctx.homeserver;
  const target = decision?.plan.to ?? spec.version ?? running.version;
  if (!readSameConfig(ctx.env.settings.catalogue, running.version, target)) {
    return nothing(`version ${running.version} runs on as it is until ${target} may be rolled out`);
  }
  const image = podImage(spec.image, running.image);
  return { version: running.version, image, isUpgrading: false, because: '' };
}

/** A database that is still to be filled remembers no version: the one that would be installed into it fills it. */
export function imageToRestore({ env, homeserver }: StepContext, deployment: DeploymentCopy | undefined): PodImage {
  const { settings } = env;
  const running = runningVersion(deployment);
  const { version, image, upgrade } = homeserver.spec;
  const { catalogue } = settings;
  const { approval } = upgrade;
  const wanted = wantedVersion({ catalogue, version, approval, record: undefined, running: running?.version });
  return resolveImage({ image, settings }, wanted, running);
}

function nothing(because: string): VersionToDeploy {
  return { version: undefined, image: undefined, isUpgrading: false, because };
}
