import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ObjectStoreError } from './object-store.ts';

/** What a request is signed with. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Unix ms; absent: they last. */
  readonly expiresAt?: number;
}

export type CredentialSource = () => Promise<Credentials>;

/** Credentials from a folder with the files accessKeyId, secretAccessKey and, if there is one, sessionToken; read anew each time. */
export function folderCredentials(directory: string): CredentialSource {
  return async () => {
    const accessKeyId = await readValue(directory, 'accessKeyId');
    const secretAccessKey = await readValue(directory, 'secretAccessKey');
    if (accessKeyId === undefined || secretAccessKey === undefined) {
      const message = `the credentials folder ${directory} needs the files accessKeyId and secretAccessKey`;
      throw new ObjectStoreError(message, { passing: false, code: 'NoCredentials' });
    }
    const sessionToken = await readValue(directory, 'sessionToken');
    return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  };
}

async function readValue(directory: string, file: string): Promise<string | undefined> {
  try {
    const text = (await readFile(join(directory, file), 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    const message = `the credentials folder ${directory} cannot be read`;
    throw new ObjectStoreError(message, { passing: false, code: 'NoCredentials', cause });
  }
}

/** How a pod proves who it is: EKS and everything that follows it sets these for a service account. */
export interface WebIdentity {
  /** AWS_ROLE_ARN. */
  readonly roleArn: string;
  /** AWS_WEB_IDENTITY_TOKEN_FILE; replaced by the kubelet, so read anew each time. */
  readonly tokenFile: string;
  /** Where to exchange the token: https://sts.<region>.amazonaws.com, or AWS_ENDPOINT_URL_STS. */
  readonly endpoint: string;
}

/** A request to STS; resolves with the body of a 200, throws ObjectStoreError. */
export type PostForm = (url: string, form: string) => Promise<string>;

const Answer = z.object({
  AssumeRoleWithWebIdentityResponse: z.object({
    AssumeRoleWithWebIdentityResult: z.object({
      Credentials: z.object({
        AccessKeyId: z.string().min(1),
        SecretAccessKey: z.string().min(1),
        SessionToken: z.string().min(1),
        Expiration: z.number(),
      }),
    }),
  }),
});

/** Credentials for the role of the pod's service account, kept until 5 minutes before their end. */
export function webIdentityCredentials(identity: WebIdentity, post: PostForm): CredentialSource {
  let kept: Promise<Credentials> | undefined;
  let until = 0;
  return () => {
    if (kept !== undefined && Date.now() < until) return kept;
    until = Infinity;
    kept = assumeRole(identity, post).then(
      (credentials) => {
        until = (credentials.expiresAt ?? Infinity) - 300_000;
        return credentials;
      },
      (error: unknown) => {
        kept = undefined;
        throw error;
      },
    );
    return kept;
  };
}

async function assumeRole({ roleArn, tokenFile, endpoint }: WebIdentity, post: PostForm): Promise<Credentials> {
  const token = await readToken(tokenFile);
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: roleArn,
    RoleSessionName: 'matrix-homeserver',
    WebIdentityToken: token,
  });
  const answer = Answer.safeParse(parseJson(await post(endpoint, form.toString())));
  if (!answer.success) throw new ObjectStoreError(`${endpoint} gave no credentials`, { passing: false });
  const found = answer.data.AssumeRoleWithWebIdentityResponse.AssumeRoleWithWebIdentityResult.Credentials;
  return {
    accessKeyId: found.AccessKeyId,
    secretAccessKey: found.SecretAccessKey,
    sessionToken: found.SessionToken,
    expiresAt: found.Expiration * 1000,
  };
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new ObjectStoreError(`the token of the pod's identity, ${file}, cannot be read`, { passing: false, cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
