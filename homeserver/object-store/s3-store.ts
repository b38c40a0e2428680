import { folderCredentials, type CredentialSource, type WebIdentity, webIdentityCredentials } from './credentials.ts';
import { checkObjectName, type ObjectStore, ObjectStoreError } from './object-store.ts';
import { parseListPage, type ListPage } from './s3-list.ts';
import { createS3Sender, PATIENT, type Patience, type S3Sender } from './s3-request.ts';

export interface S3Settings {
  readonly bucket: string;
  readonly region: string;
  /** URL of another provider than AWS. */
  readonly endpoint: string | undefined;
  /** Put before every name; ends with `/` unless it is empty. */
  readonly prefix: string;
  /** The bucket in the path and not in the host name. */
  readonly pathStyle: boolean;
  /** A folder of files, or what the pod's service account is. */
  readonly credentials: { readonly directory: string } | { readonly webIdentity: WebIdentity };
  /** Absent: that of work which nobody waits for. */
  readonly patience?: Patience;
}

const MAX_LIST_BYTES = 16_777_216;
/** Answers to writes say next to nothing. */
const MAX_ANSWER_BYTES = 65_536;

/** Objects in a bucket of S3 or of what speaks like it. */
export function openS3Store(settings: S3Settings): ObjectStore {
  const source: { credentials?: CredentialSource } = {};
  const credentials = () => (source.credentials ??= sourceOf(settings, sender));
  const sender = createS3Sender(settings.region, credentials, settings.patience ?? PATIENT);
  const bucket = bucketUrl(settings);
  const { prefix } = settings;
  const urlOf = (name: string) => {
    checkObjectName(name);
    return new URL(`${bucket.href}${encodePath(prefix + name)}`);
  };
  const pages = (query: Record<string, string>) => listPages(sender, bucket, query);
  return {
    place: `s3://${settings.bucket}/${prefix}`,
    put: async (name, body) => {
      const { status } = await sender.send({ method: 'PUT', url: urlOf(name), body, maxBytes: MAX_ANSWER_BYTES });
      if (status === 404) throw noBucket(settings);
    },
    get: async (name, maxBytes) => {
      const { status, body } = await sender.send({ method: 'GET', url: urlOf(name), maxBytes });
      if (status === 200) return body;
      if (body.includes('<Code>NoSuchBucket</Code>')) throw noBucket(settings);
      return undefined;
    },
    list: async function* (under) {
      for await (const { names } of pages({ prefix: prefix + under })) {
        for (const name of names) yield name.slice(prefix.length);
      }
    },
    listFolders: async (under) => {
      const found: string[] = [];
      for await (const { folders } of pages({ prefix: prefix + under, delimiter: '/' })) found.push(...folders);
      return found.map((name) => name.slice(prefix.length));
    },
    delete: async (name) => {
      await sender.send({ method: 'DELETE', url: urlOf(name), maxBytes: MAX_ANSWER_BYTES });
    },
    close: () => {
      sender.close();
      return Promise.resolve();
    },
  };
}

function sourceOf({ credentials }: S3Settings, sender: S3Sender): CredentialSource {
  if ('directory' in credentials) return folderCredentials(credentials.directory);
  return webIdentityCredentials(credentials.webIdentity, sender.postForm);
}

async function* listPages(sender: S3Sender, bucket: URL, query: Record<string, string>): AsyncGenerator<ListPage> {
  let token: string | undefined;
  do {
    const url = new URL(bucket);
    const more = token === undefined ? {} : { 'continuation-token': token };
    const parameters = { 'list-type': '2', 'encoding-type': 'url', ...query, ...more };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    const { body } = await sender.send({ method: 'GET', url, maxBytes: MAX_LIST_BYTES });
    const page = parseListPage(body.toString('utf8'));
    if (page === undefined) throw new ObjectStoreError(`${bucket.href} cannot be listed`, { passing: false });
    yield page;
    token = page.next;
  } while (token !== undefined);
}

/** Ends with a slash. */
function bucketUrl({ bucket, region, endpoint, pathStyle }: S3Settings): URL {
  const base = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`);
  if (pathStyle) base.pathname = `${base.pathname.replace(/\/$/, '')}/${bucket}/`;
  else base.hostname = `${bucket}.${base.hostname}`;
  return base;
}

function encodePath(path: string): string {
  return path
    .split('/')
    .map((part) =>
      encodeURIComponent(part).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`),
    )
    .join('/');
}

function noBucket({ bucket }: S3Settings): ObjectStoreError {
  return new ObjectStoreError(`there is no bucket ${bucket}`, { passing: false, code: 'NoSuchBucket' });
}
