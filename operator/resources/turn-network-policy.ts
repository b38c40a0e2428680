import type { NetworkPolicySpec } from '../api/network-spec.ts';
import type { ManagedTurn } from '../api/turn-spec.ts';
import type { Manifest, Owner } from './manifest.ts';
import { NOT_PUBLIC_4, NOT_PUBLIC_6, PUBLIC_6 } from './special-networks.ts';
import { turnMetadata, turnSelector } from './turn-server.ts';
import { TURNS_PORT, TURN_PORT } from './turn-config.ts';

/**
 * Everybody may reach the TURN server and its relays. It may send UDP to public addresses and to networks that the spec allows, so
 * that nobody gets into the cluster through it, whatever its configuration. Undefined when that is somebody else's job.
 */
export function turnNetworkPolicy(owner: Owner, wanted: ManagedTurn, mode: NetworkPolicySpec['mode']) {
  if (mode === 'Off') return undefined;
  const { relayPorts, tlsSecretName, allowedPeers = [], deniedPeers = [] } = wanted;
  const blocks = [...publicBlocks(deniedPeers), ...allowedPeers.map((cidr) => ({ cidr }))];
  const manifest: Manifest = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: turnMetadata(owner),
    spec: {
      podSelector: { matchLabels: turnSelector(owner.name) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          ports: [
            { protocol: 'UDP', port: TURN_PORT },
            { protocol: 'TCP', port: TURN_PORT },
            ...(tlsSecretName === undefined ? [] : [{ protocol: 'TCP', port: TURNS_PORT }]),
            { protocol: 'UDP', port: relayPorts.min, endPort: relayPorts.max },
          ],
        },
      ],
      egress: [
        {
          to: blocks.map((ipBlock) => ({ ipBlock })),
          ports: [{ protocol: 'UDP', port: 1, endPort: 65_535 }],
        },
      ],
    },
  };
  return manifest;
}

function publicBlocks(denied: readonly string[]) {
  const isIPv6 = (cidr: string) => cidr.includes(':');
  // What lies outside of the public networks is left out anyhow, and an exception has to be inside its network.
  const inPublic6 = denied.filter((cidr) => isIPv6(cidr) && /^[23][0-9a-f]{3}:/i.test(cidr) && bitsOf(cidr) > 3);
  const denied4 = denied.filter((cidr) => !isIPv6(cidr) && bitsOf(cidr) > 0);
  return [
    { cidr: '0.0.0.0/0', except: [...NOT_PUBLIC_4, ...denied4] },
    { cidr: PUBLIC_6, except: [...NOT_PUBLIC_6, ...inPublic6] },
  ];
}

function bitsOf(cidr: string): number {
  return Number(cidr.split('/')[1] ?? '');
}
