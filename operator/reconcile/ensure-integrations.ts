import { elementWebConfigMap, elementWebDeployment, elementWebService } from '../resources/element-web.ts';
import { endpointsOf, publicBaseUrl } from '../resources/endpoints.ts';
import { elementWebRoute } from '../resources/http-routes.ts';
import { elementWebIngress } from '../resources/ingress.ts';
import type { Manifest } from '../resources/manifest.ts';
import { objectKey } from '../runtime/kube-object.ts';
import { applyChild, readChild } from './apply-child.ts';
import { digestOf, stableJson } from './digest.ts';
import type { Child } from './ensure-children.ts';
import { ensureChildren } from './ensure-children.ts';
import { ensureTurn } from './ensure-turn.ts';
import { KINDS, OPENSHIFT_MARK, OWNED_KINDS } from './kinds.ts';
import { podsProblem } from './pods-problem.ts';
import { httpRouteProblem, ingressProblem, kindsNotServed } from './route-state.ts';
import type { StepContext, StepResult } from './step.ts';
import { blocked, done, runStep } from './step.ts';

/** What stands beside the server, each part whatever became of the others. What somebody else runs is only in the configuration. */
export async function ensureIntegrations(ctx: StepContext): Promise<StepResult<undefined>> {
  const elementWeb = await runStep(ctx, 'element-web', () => ensureElementWeb(ctx));
  const turn = await runStep(ctx, 'turn', () => ensureTurn(ctx));
  if (elementWeb.state !== 'done') return elementWeb;
  if (turn.state !== 'done') return turn;
  return done(undefined, describe(ctx, turn.value));
}

async function ensureElementWeb(ctx: StepContext): Promise<StepResult<undefined>> {
  const { spec } = ctx.homeserver;
  const isWanted = spec.integrations?.elementWeb !== undefined;
  const baseUrl = publicBaseUrl(spec);
  if (isWanted && baseUrl === undefined) {
    const message =
      'integrations.elementWeb needs a public URL of the server: set exposure.host or config.publicBaseUrl';
    return blocked('ConfigInvalid', message);
  }
  const configMap = buildConfigMap(ctx, baseUrl);
  await ensureConfigMap(ctx, configMap);
  const lacking = await ensureChildren(ctx, wantedChildren(ctx, configMap));
  if (lacking.length > 0) return kindsNotServed(lacking);
  if (!isWanted) return done(undefined);
  return podsProblem(ctx, ctx.names.elementWeb, 'Element Web') ?? routeProblem(ctx) ?? done(undefined);
}

function buildConfigMap({ owner, homeserver }: StepContext, baseUrl: string | undefined): Manifest | undefined {
  const { serverName, integrations } = homeserver.spec;
  const wanted = integrations?.elementWeb;
  if (wanted === undefined || baseUrl === undefined) return undefined;
  return elementWebConfigMap(owner, wanted, { name: serverName, baseUrl });
}

/** It is not in the caches. Deleted before the Deployment, which tells that it may be there. */
async function ensureConfigMap(ctx: StepContext, manifest: Manifest | undefined): Promise<void> {
  const { env, owner, names } = ctx;
  if (manifest !== undefined) {
    const target = { resource: KINDS.configMap, manifest };
    await applyChild(ctx, target, await readChild(ctx, target));
    return;
  }
  const at = { namespace: owner.namespace, name: names.elementWeb };
  const pods = env.caches.deployments.get(objectKey(at));
  if (pods?.ownerUid === owner.uid && !pods.deleting) await env.client.delete(KINDS.configMap, at);
}

function wantedChildren(ctx: StepContext, configMap: Manifest | undefined): Child[] {
  const { owner, names, homeserver } = ctx;
  const name = names.elementWeb;
  const { spec } = homeserver;
  const service = configMap === undefined ? undefined : elementWebService(owner);
  return [
    { kind: OWNED_KINDS.deployment, name, manifest: buildDeployment(ctx, configMap) },
    { kind: OWNED_KINDS.service, name, manifest: service },
    { kind: OWNED_KINDS.ingress, name, manifest: elementWebIngress(owner, spec) },
    { kind: OWNED_KINDS.httpRoute, name, manifest: elementWebRoute(owner, spec) },
  ];
}

function buildDeployment({ env, owner, homeserver }: StepContext, configMap: Manifest | undefined) {
  const wanted = homeserver.spec.integrations?.elementWeb;
  if (wanted === undefined || configMap === undefined) return undefined;
  const configChecksum = digestOf([stableJson(configMap['data'])], 16);
  return elementWebDeployment({ owner, wanted, configChecksum, userIsGiven: env.discovery.serves(OPENSHIFT_MARK) });
}

function routeProblem(ctx: StepContext): StepResult<undefined> | undefined {
  const { exposure } = ctx.homeserver.spec;
  if (exposure?.ingress !== undefined) return ingressProblem(ctx, ctx.names.elementWeb);
  if (exposure?.gateway === undefined) return undefined;
  return httpRouteProblem(ctx, ctx.names.elementWeb, exposure.gateway.parentRefs);
}

function describe({ owner, homeserver }: StepContext, turn: string | undefined): string {
  const { elementWeb, rtc } = endpointsOf(owner, homeserver.spec);
  const parts = [
    elementWeb === undefined ? '' : `Element Web at ${elementWeb}`,
    turn === undefined ? '' : `TURN at ${turn}`,
    rtc === undefined ? '' : `group calls at ${rtc}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'none is wanted' : parts.join(', ');
}
