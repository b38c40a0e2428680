import * as z from 'zod';
import type { ChildCopy } from '../runtime/apply.ts';
import { childCopy } from '../runtime/apply.ts';
import type { KubeObject } from '../runtime/kube-object.ts';
import { MANAGERS } from './kinds.ts';

const LoadBalancerStatus = z.object({
  status: z
    .object({
      loadBalancer: z
        .object({
          ingress: z.array(z.object({ ip: z.string().optional(), hostname: z.string().optional() })).nullish(),
        })
        .optional(),
    })
    .optional(),
});

/** What is kept of an Ingress beside the usual. */
export interface IngressCopy extends ChildCopy {
  /** Address or host name of the load balancer; undefined until the controller has written one. */
  readonly address: string | undefined;
}

export function ingressCopy(object: KubeObject): IngressCopy {
  const [first] = LoadBalancerStatus.parse(object).status?.loadBalancer?.ingress ?? [];
  return { ...childCopy(object, MANAGERS.children), address: first?.ip ?? first?.hostname };
}

/** What is kept of a Service beside the usual: where its load balancer is reached, once somebody has written that. */
export interface ServiceCopy extends ChildCopy {
  readonly ip: string | undefined;
  /** Of a load balancer that has no address of its own. */
  readonly hostname: string | undefined;
}

export function serviceCopy(object: KubeObject): ServiceCopy {
  const places = LoadBalancerStatus.parse(object).status?.loadBalancer?.ingress ?? [];
  const first = (key: 'ip' | 'hostname') => places.map((place) => place[key]).find((text) => text !== undefined);
  return { ...childCopy(object, MANAGERS.children), ip: first('ip'), hostname: first('hostname') };
}

const RouteCondition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().default(''),
  message: z.string().default(''),
  observedGeneration: z.int().default(0),
});

const RouteStatus = z.object({
  status: z
    .object({
      parents: z
        .array(
          z.object({
            parentRef: z.object({
              name: z.string(),
              namespace: z.string().optional(),
              sectionName: z.string().optional(),
            }),
            conditions: z.array(RouteCondition).default([]),
          }),
        )
        .default([]),
    })
    .optional(),
});

/** What is kept of an HTTPRoute beside the usual: one verdict for each Gateway that has looked at this generation. */
export interface HttpRouteCopy extends ChildCopy {
  readonly verdicts: readonly RouteVerdict[];
}

export interface RouteVerdict {
  /** As `gatewayKey` writes it. */
  readonly gateway: string;
  /** Why the Gateway does not serve the route; undefined when it does. */
  readonly refusal: string | undefined;
}

export interface GatewayRef {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly sectionName?: string | undefined;
}

/** `namespace/name`, with `#listener` where one is named. */
export function gatewayKey({ name, namespace, sectionName }: GatewayRef, routeNamespace: string): string {
  return `${namespace ?? routeNamespace}/${name}${sectionName === undefined ? '' : `#${sectionName}`}`;
}

export function httpRouteCopy(object: KubeObject): HttpRouteCopy {
  const { generation = 0, namespace = '' } = object.metadata;
  const parents = RouteStatus.parse(object).status?.parents ?? [];
  const verdicts = parents.flatMap(({ parentRef, conditions }) => {
    const current = conditions.filter(({ observedGeneration }) => observedGeneration >= generation);
    if (!current.some(({ type }) => type === 'Accepted')) return [];
    return [{ gateway: gatewayKey(parentRef, namespace), refusal: refusalIn(current) }];
  });
  return { ...childCopy(object, MANAGERS.children), verdicts };
}

function refusalIn(conditions: readonly z.infer<typeof RouteCondition>[]): string | undefined {
  const failing = conditions.find(
    ({ type, status }) => (type === 'Accepted' || type === 'ResolvedRefs') && status !== 'True',
  );
  if (failing === undefined) return undefined;
  return `${failing.type} is ${failing.status}, ${failing.reason}: ${failing.message}`;
}
