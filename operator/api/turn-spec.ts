import * as z from 'zod';
import { rules } from './cel.ts';
import { hostName } from './exposure-spec.ts';
import { SecretKeyRef, objectName, textMap } from './fields.ts';
import { ContainerResources } from './pod-spec.ts';

/** Image tag of coturn that relays when the spec names none. */
export const COTURN_VERSION = '4.17.0-r0';

const External = z
  .object({
    uris: z
      .array(
        z
          .string()
          .min(6)
          .max(512)
          .regex(/^turns?:/)
          .describe('A TURN URI.'),
      )
      .min(1)
      .max(16)
      .describe('Such as turn:turn.example.org:3478?transport=udp or turns:turn.example.org:443.'),
    secretRef: SecretKeyRef('The secret that the TURN server shares with this server (coturn: static-auth-secret).'),
  })
  .describe('A TURN server that somebody else runs.');

const RELAY_PORT_LIMITS = { min: 10_000, max: 65_535, most: 100 };

const relayPort = (what: string) => z.int().min(RELAY_PORT_LIMITS.min).max(RELAY_PORT_LIMITS.max).describe(what);

const RelayPorts = z
  .object({ min: relayPort('First port.'), max: relayPort('Last port.') })
  .default({ min: 49_160, max: 49_199 })
  .describe(
    'UDP ports of relays, at most 100; the Service has each of them. One relay takes one port, a client in a call one or ' +
      'more. Many load balancers allow no more than 50 ports.',
  )
  .meta(
    rules(
      { rule: 'self.min <= self.max', message: 'relayPorts.min may not be more than relayPorts.max' },
      {
        rule: `self.max - self.min < ${RELAY_PORT_LIMITS.most}`,
        message: `relayPorts may be at most ${RELAY_PORT_LIMITS.most} ports`,
      },
    ),
  );

const networks = (what: string) =>
  z
    .array(
      z
        .string()
        .min(3)
        .max(43)
        .regex(/^[0-9a-fA-F:.]+\/[0-9]{1,3}$/)
        .describe('A network, such as 10.0.0.0/8.')
        // NetworkPolicies take no other form.
        .meta(
          rules({
            rule: 'isCIDR(self) && string(cidr(self).masked()) == self',
            message: 'a network such as 10.0.0.0/8 or 2001:db8::/32 is needed, with zeros beyond its length',
          }),
        ),
    )
    .max(16)
    .optional()
    .describe(what);

const Managed = z
  .object({
    host: hostName('Host in the TURN URIs; point its DNS at the address that the condition IntegrationsReady tells.'),
    serviceAnnotations: textMap('Annotations of the Service, for whoever makes load balancers.').optional(),
    externalIP: z
      .string()
      .min(2)
      .max(45)
      .regex(/^[0-9a-fA-F:.]+$/)
      .optional()
      .describe('Address at which clients reach the Service. Without it the first IP address in its status.')
      .meta(rules({ rule: 'isIP(self)', message: 'externalIP must be an IP address' })),
    relayPorts: RelayPorts,
    tlsSecretName: objectName(
      'Secret with tls.crt and tls.key for the host, made by you or by cert-manager: adds turns: on port 5349.',
    ).optional(),
    allowedPeers: networks(
      'Networks that are relayed to although they are private: those of clients in a network without the internet.',
    ),
    deniedPeers: networks('Networks that are not relayed to, beside all private and special ones.'),
    version: z
      .string()
      .max(64)
      .regex(/^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$/)
      .optional()
      .describe(`Tag of coturn's image. Without it ${COTURN_VERSION}.`),
    image: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe('Whole image reference in place of docker.io/coturn/coturn:<version>; needs turnserver in its PATH.'),
    resources: ContainerResources(
      'CPU and memory of its pod. Without it: requests of 50m and 64Mi, a memory limit of 256Mi.',
    ).optional(),
  })
  .describe('A coturn of its own behind a Service of type LoadBalancer.');

/** `spec.integrations.turn`. */
export const TurnSpec = z
  .object({ external: External.optional(), managed: Managed.optional() })
  .describe('TURN for calls: clients get time-limited credentials.')
  .meta(
    rules({
      rule: '[has(self.external), has(self.managed)].filter(x, x).size() == 1',
      message: 'exactly one of turn.external and turn.managed is needed',
    }),
  );

export type TurnSpec = z.infer<typeof TurnSpec>;
export type ManagedTurn = z.infer<typeof Managed>;
