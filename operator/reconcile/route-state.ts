import { objectKey } from '../runtime/kube-object.ts';
import type { GatewayRef } from './route-copies.ts';
import { gatewayKey } from './route-copies.ts';
import type { Blocked, StepContext, Waiting } from './step.ts';
import { blocked, waiting } from './step.ts';

/** How soon to look again at a route that its controller has not taken yet; the watch is usually faster. In ms. */
const ROUTE_LOOK_MS = 30_000;

/** Address that the controller of an Ingress has given it; undefined until then. */
export function ingressAddress({ env, owner }: StepContext, name: string): string | undefined {
  return env.caches.ingresses.get(objectKey({ namespace: owner.namespace, name }))?.address;
}

/** Why an Ingress does not serve yet; undefined when it does, as far as its controller tells. */
export function ingressProblem(ctx: StepContext, name: string): Waiting | undefined {
  if (ingressAddress(ctx, name) !== undefined) return undefined;
  const message = `Ingress ${name} has no address yet: its controller writes one into the Ingress's status`;
  return waiting('RoutePending', message, ROUTE_LOOK_MS);
}

/** Why an HTTPRoute is not served by all of its Gateways; undefined when it is. */
export function httpRouteProblem(
  { env, owner }: StepContext,
  name: string,
  gateways: readonly GatewayRef[],
): Waiting | Blocked | undefined {
  const route = env.caches.httpRoutes.get(objectKey({ namespace: owner.namespace, name }));
  for (const gateway of gateways.map((ref) => gatewayKey(ref, owner.namespace))) {
    const verdict = route?.verdicts.find((one) => one.gateway === gateway);
    if (verdict === undefined) {
      const message = `HTTPRoute ${name} is not accepted by Gateway ${gateway} yet`;
      return waiting('RoutePending', message, ROUTE_LOOK_MS);
    }
    if (verdict.refusal !== undefined) {
      return blocked('RouteRefused', `Gateway ${gateway} does not serve HTTPRoute ${name}: ${verdict.refusal}`);
    }
  }
  return undefined;
}

/** What a person is told where the cluster lacks kinds of objects that the spec wants. */
export function kindsNotServed(kinds: readonly { apiVersion: string; kind: string }[]): Blocked {
  const names = [...new Set(kinds.map(({ apiVersion, kind }) => `${kind} (${apiVersion})`))];
  const message = `this cluster does not serve ${names.join(', ')}: install its definitions; they are noticed within a minute`;
  return blocked('KindNotServed', message);
}
