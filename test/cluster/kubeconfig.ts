import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { ClientCredential } from './local/certificates.ts';

export interface KubeconfigParts {
  /** Name of its one cluster, user and context. */
  name: string;
  /** `https://host:port` */
  server: string;
  credential: ClientCredential;
}

/** Writes a kubeconfig that holds its certificates itself and names no other file; readable by its owner only. */
export async function writeKubeconfig(file: string, parts: KubeconfigParts): Promise<void> {
  await writeFile(file, renderKubeconfig(parts), { mode: 0o600 });
}

export function renderKubeconfig({ name, server, credential }: KubeconfigParts): string {
  const data = (pem: string): string => Buffer.from(pem).toString('base64');
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': name,
      clusters: [{ name, cluster: { server, 'certificate-authority-data': data(credential.ca) } }],
      users: [
        {
          name,
          user: { 'client-certificate-data': data(credential.cert), 'client-key-data': data(credential.key) },
        },
      ],
      contexts: [{ name, context: { cluster: name, user: name } }],
    },
    { lineWidth: 0 },
  );
}
