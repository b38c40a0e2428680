import { join } from 'node:path';
import type { CertificateRequest } from './certificates.ts';

export interface ApiServerPlace {
  /** Folder of the certificates. */
  pki: string;
  address: string;
  port: number;
  etcd: string;
  serviceCidr: string;
}

/** The certificates that an API server alone needs. */
export function apiServerCertificates(address: string, apiServiceAddress: string): CertificateRequest[] {
  const service = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  const names = [...service, 'localhost'].map((name) => `DNS:${name}`);
  const addresses = new Set(['127.0.0.1', address, apiServiceAddress]);
  return [
    {
      name: 'api-server',
      commonName: 'kube-apiserver',
      alternativeNames: [...names, ...[...addresses].map((ip) => `IP:${ip}`)],
    },
    { name: 'admin', commonName: 'matrix-operator-admin', organization: 'system:masters' },
  ];
}

/** Arguments of kube-apiserver that the cluster and the server alone share. */
export function apiServerArguments({ pki, address, port, etcd, serviceCidr }: ApiServerPlace): string[] {
  const file = (name: string): string => join(pki, name);
  return [
    `--advertise-address=${address}`,
    `--bind-address=${address}`,
    `--secure-port=${port}`,
    `--etcd-servers=${etcd}`,
    `--service-cluster-ip-range=${serviceCidr}`,
    '--authorization-mode=Node,RBAC',
    '--anonymous-auth=false',
    `--client-ca-file=${file('ca.crt')}`,
    `--tls-cert-file=${file('api-server.crt')}`,
    `--tls-private-key-file=${file('api-server.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${file('service-account.pub')}`,
    `--service-account-signing-key-file=${file('service-account.key')}`,
    '--shutdown-delay-duration=0s',
    '--v=1',
  ];
}

/** Arguments of an etcd that forgets nothing when killed but may when the machine loses power: enough for tests. */
export function etcdArguments(dataDir: string, clientUrl: string, peerUrl: string): string[] {
  return [
    '--name=default',
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync',
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=1h',
    '--logger=zap',
    '--log-level=warn',
  ];
}
