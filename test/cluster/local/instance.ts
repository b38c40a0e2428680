import { join } from 'node:path';

/** Names, folders and addresses of one local cluster. */
export interface Instance {
  name: string;
  /** Everything of the cluster that is on disk; removed with it. */
  dir: string;
  slot: number;
  /** Our end of the cable between this machine and the node. */
  hostLink: string;
  hostAddress: string;
  nodeAddress: string;
  nodeName: string;
  podCidr: string;
  serviceCidr: string;
  /** The first address of the service range: the Service `kubernetes`. */
  apiServiceAddress: string;
}

/** Clusters that can run side by side. */
export const SLOTS = 100;

/**
 * The addresses of a slot. 198.18.0.0/15 is set aside for tests of network devices (RFC 2544): no real network has it,
 * and no packet to it leaves the machine. Per slot n: 198.18.n.0/30 for the cable, 198.18.(100+n).0/24 for Services,
 * 198.19.n.0/24 for pods.
 */
export function instanceAt(name: string, dir: string, slot: number): Instance {
  if (!Number.isInteger(slot) || slot < 0 || slot >= SLOTS) throw new Error(`no such slot: ${slot}`);
  return {
    name,
    dir,
    slot,
    hostLink: hostLinkOf(slot),
    hostAddress: `198.18.${slot}.1`,
    nodeAddress: `198.18.${slot}.2`,
    nodeName: 'node-1',
    podCidr: `198.19.${slot}.0/24`,
    serviceCidr: `198.18.${SLOTS + slot}.0/24`,
    apiServiceAddress: `198.18.${SLOTS + slot}.1`,
  };
}

export const hostLinkOf = (slot: number): string => `mxo${slot}`;

/** Refuses names that are no DNS label of at most 40 characters: they become folder and cgroup names. */
export function checkInstanceName(name: string): string {
  if (/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(name)) return name;
  throw new Error(`--instance ${name}: use at most 40 lower-case letters, digits and hyphens`);
}

export function instanceDir(stateDir: string, name: string): string {
  return join(stateDir, checkInstanceName(name));
}

/** Where the kubeconfig of a local instance is. */
export function kubeconfigPath(dir: string): string {
  return join(dir, 'kubeconfig');
}
