import type { WebIdentity } from '../object-store/credentials.ts';

/**
 * What Kubernetes tells a pod whose service account stands for a role of AWS, or of a provider that does it the same way;
 * undefined where it tells nothing.
 */
export function podIdentity(region: string): WebIdentity | undefined {
  const { AWS_ROLE_ARN: roleArn, AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile, AWS_ENDPOINT_URL_STS: endpoint } = process.env;
  if (roleArn === undefined || tokenFile === undefined) return undefined;
  return { roleArn, tokenFile, endpoint: endpoint ?? `https://sts.${region}.amazonaws.com` };
}

/** Why there is none. */
export const NO_POD_IDENTITY = 'this pod has no identity of its own (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE)';
