import { exposureOf } from '../resources/exposure.ts';
import { httpRoutes } from '../resources/http-routes.ts';
import { ingress } from '../resources/ingress.ts';
import type { Child } from './ensure-children.ts';
import { ensureChildren } from './ensure-children.ts';
import { OWNED_KINDS } from './kinds.ts';
import type { GatewayRef } from './route-copies.ts';
import { httpRouteProblem, ingressAddress, ingressProblem, kindsNotServed } from './route-state.ts';
import type { StepContext, StepResult } from './step.ts';
import { done } from './step.ts';

/** The Ingress or the HTTPRoutes that the spec wants, and whether their controller serves them. */
export async function ensureExposure(ctx: StepContext): Promise<StepResult<undefined>> {
  const { exposure } = ctx.homeserver.spec;
  const routes = wantedRoutes(ctx);
  const lacking = await ensureChildren(ctx, routes);
  if (lacking.length > 0) return kindsNotServed(lacking);
  if (exposure?.ingress !== undefined) return ingressState(ctx);
  if (exposure?.gateway !== undefined) return gatewayState(ctx, routes, exposure.gateway.parentRefs);
  return done(undefined, 'only the Service: exposure names neither ingress nor gateway');
}

function wantedRoutes({ owner, names, homeserver }: StepContext): Child[] {
  const routes = httpRoutes(owner, homeserver.spec);
  return [
    { kind: OWNED_KINDS.ingress, name: names.ingress, manifest: ingress(owner, homeserver.spec) },
    { kind: OWNED_KINDS.httpRoute, name: names.httpRoute, manifest: routes.api },
    { kind: OWNED_KINDS.httpRoute, name: names.wellKnownRoute, manifest: routes.wellKnown },
  ];
}

function ingressState(ctx: StepContext): StepResult<undefined> {
  const name = ctx.names.ingress;
  const address = ingressAddress(ctx, name) ?? '';
  return ingressProblem(ctx, name) ?? done(undefined, `${baseUrl(ctx)} by Ingress ${name} at ${address}`);
}

function gatewayState(
  ctx: StepContext,
  routes: readonly Child[],
  gateways: readonly GatewayRef[],
): StepResult<undefined> {
  const names = routes.flatMap(({ name, manifest }) => (manifest === undefined ? [] : [name]));
  for (const name of names) {
    const problem = httpRouteProblem(ctx, name, gateways);
    if (problem !== undefined) return problem;
  }
  return done(undefined, `${baseUrl(ctx)} by HTTPRoute ${names.join(', ')}`);
}

function baseUrl({ homeserver }: StepContext): string {
  return exposureOf(homeserver.spec)?.baseUrl ?? '';
}
