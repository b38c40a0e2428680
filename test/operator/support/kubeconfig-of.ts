import { writeFile } from 'node:fs/promises';
import * as z from 'zod';
import type { ApiServer } from '../../cluster/api-server.ts';
import { apiRequest } from '../../cluster/api-request.ts';

const Token = z.looseObject({ status: z.looseObject({ token: z.string() }) });

/** Writes a kubeconfig with no more rights than a service account has; gives its path. */
export async function writeKubeconfigOf(
  api: ApiServer,
  account: { readonly namespace: string; readonly name: string },
  file: string,
): Promise<string> {
  const path = `/api/v1/namespaces/${account.namespace}/serviceaccounts/${account.name}/token`;
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { status } = Token.parse(JSON.parse((await apiRequest(api, 'POST', path, request)).body));
  const ca = Buffer.from(api.credential.ca).toString('base64');
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: api.server, 'certificate-authority-data': ca } }],
    users: [{ name: 'u', user: { token: status.token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: account.namespace } }],
    'current-context': 'x',
  };
  await writeFile(file, JSON.stringify(content));
  return file;
}
