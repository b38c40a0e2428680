import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import * as z from 'zod';
import type { Access } from './access.ts';
import { readKubeconfig } from './kubeconfig.ts';

/** The parts of the options that KubeConfig fills in and that a dispatcher takes. */
const Filled = z.object({
  ca: z.instanceof(Buffer).optional(),
  cert: z.instanceof(Buffer).optional(),
  key: z.instanceof(Buffer).optional(),
  servername: z.string().optional(),
  rejectUnauthorized: z.boolean().optional(),
  headers: z.record(z.string(), z.string()).default({}),
  auth: z.string().optional(),
});

/** The way that a kubeconfig names: certificates, tokens, exec plugins and all. `files` as in $KUBECONFIG. */
export function kubeconfigAccess(files: string, context: string | undefined): () => Promise<Access> {
  const config = readKubeconfig(files, context);
  const server = config.getCurrentCluster()?.server.replace(/\/+$/, '');
  if (server === undefined) throw new Error(`kubeconfig has no cluster for context "${config.getCurrentContext()}"`);
  return () => readAccess(config, server);
}

async function readAccess(config: KubeConfig, server: string): Promise<Access> {
  const options: RequestOptions = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const { headers, auth, ...tls } = Filled.parse(options);
  if (auth === undefined) return { server, headers, tls };
  return { server, tls, headers: { ...headers, Authorization: `Basic ${Buffer.from(auth).toString('base64')}` } };
}
