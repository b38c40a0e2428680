import * as z from 'zod';
import { rules } from './cel.ts';
import { objectName, textMap } from './fields.ts';

/** A host name as routes may carry it: no port, no address. */
export const hostName = (what: string) =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
    .describe(what);

const Ingress = z
  .object({
    className: objectName('IngressClass that serves it; without it the default class of the cluster.').optional(),
    annotations: textMap('Annotations for its controller or for cert-manager.').optional(),
    tlsSecretName: objectName(
      'Secret with the certificate of the hosts, made by you or by cert-manager. Without it <name>-tls.',
    ).optional(),
  })
  .describe('An Ingress with TLS.');

const ParentRef = z
  .object({
    name: objectName('Name of the Gateway.'),
    namespace: z.string().min(1).max(63).optional().describe('Its namespace; without it that of the resource.'),
    sectionName: z.string().min(1).max(253).optional().describe('One listener of it; without it all that fit.'),
    port: z.int().min(1).max(65_535).optional().describe('Only listeners on this port.'),
  })
  .describe('A Gateway.');

const Gateway = z
  .object({
    parentRefs: z.array(ParentRef).min(1).max(8).describe('The Gateways that serve it; their listeners end TLS.'),
  })
  .describe('HTTPRoutes of the Gateway API.');

/** `spec.exposure`. */
export const ExposureSpec = z
  .object({
    host: hostName(
      'Host at which clients and other servers reach this one, over HTTPS. Without it matrix.<serverName>.',
    ).optional(),
    wellKnown: z
      .enum(['Serve', 'External'])
      .default('Serve')
      .describe(
        'Serve also routes /.well-known/matrix/ of the server name to this server; External leaves that to whoever serves that name.',
      ),
    ingress: Ingress.optional(),
    gateway: Gateway.optional(),
  })
  .describe('How the world reaches this server. Without ingress and gateway there is only the Service.')
  .meta(
    rules({
      rule: '!(has(self.ingress) && has(self.gateway))',
      message: 'at most one of exposure.ingress and exposure.gateway is allowed',
    }),
  );

export type ExposureSpec = z.infer<typeof ExposureSpec>;
