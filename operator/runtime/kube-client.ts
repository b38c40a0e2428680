import * as z from 'zod';
import { openAccess } from './kube-access.ts';
import { KubeError, isGone, isNotFound } from './kube-error.ts';
import { KubeObject } from './kube-object.ts';
import type { Manifest, ObjectName, Resource } from './kube-object.ts';
import { createTransport } from './kube-transport.ts';
import type { ApiRequest, FinishedRequest, Transport } from './kube-transport.ts';
import type { RateLimits } from './rate-limiter.ts';
import { collectionPath, objectPath } from './resource-path.ts';
import { parseWatchLine, splitLines } from './watch-lines.ts';
import type { WatchEvent } from './watch-lines.ts';

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ObjectList {
  /** Version of the whole list, from which a watch may start. */
  readonly resourceVersion: string;
  readonly items: readonly KubeObject[];
}

export interface WatchOptions extends ListOptions {
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  /** Called for each piece of data, also for half a line. */
  readonly onBytes?: () => void;
}

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export interface FinalizersPatch extends ObjectName {
  /** The version that was read; another write in between makes this one fail with 409 Conflict. */
  readonly resourceVersion: string;
  /** All that shall be there, those of others included. */
  readonly finalizers: readonly string[];
}

export interface StatusPatch extends ObjectName {
  /** The version that was read; another write in between makes this one fail with 409 Conflict. */
  readonly resourceVersion: string;
  readonly status: unknown;
}

/** One step of a JSON Patch (RFC 6902). A `test` that does not hold makes the whole patch fail with 422. */
export interface PatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

/** Talks to one API server. Every failure is a KubeError. Every request has a timeout of 30 s; nothing is retried. */
export interface KubeClient {
  /** undefined when there is no such object. */
  get(resource: Resource, name: ObjectName): Promise<KubeObject | undefined>;
  /** The whole list, read in pages of 500; read at once when a page has expired in between. */
  list(resource: Resource, options?: ListOptions): Promise<ObjectList>;
  /** POST; an object that exists already is a 409 AlreadyExists (see isAlreadyExists). */
  create(resource: Resource, manifest: Manifest, manager: string): Promise<KubeObject>;
  /** Server-side apply with `force`. */
  apply(resource: Resource, manifest: Manifest, manager: string): Promise<KubeObject>;
  /** Server-side apply of the status subresource with `force`. */
  applyStatus(resource: Resource, patch: StatusPatch, manager: string): Promise<KubeObject>;
  /** Sets the finalizers and nothing else. */
  setFinalizers(resource: Resource, patch: FinalizersPatch, manager: string): Promise<KubeObject>;
  /** JSON Patch: all of the operations or none. */
  patch(
    resource: Resource,
    name: ObjectName,
    operations: readonly PatchOperation[],
    manager: string,
  ): Promise<KubeObject>;
  /** PUT of a whole object that was read before; its resourceVersion guards it. */
  replace(resource: Resource, object: KubeObject, manager: string): Promise<KubeObject>;
  /** false when it was gone already. Children are collected in the background. */
  delete(resource: Resource, name: ObjectName, preconditions?: Preconditions): Promise<boolean>;
  /** Events until the server ends the watch. An ERROR event is thrown as a KubeError, an unreadable line as a SyntaxError. */
  watch(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent>;
  /** Any GET that is not an object, such as `/version`. */
  getRaw(path: string, signal?: AbortSignal): Promise<unknown>;
  /** Any GET whose answer is no JSON, such as the log of a pod, as it comes; without a limit on its time or length. */
  streamRaw(
    path: string,
    query: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>>;
  close(): Promise<void>;
}

export interface KubeClientOptions {
  /** Path of a kubeconfig; absent: the pod's service account. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly userAgent: string;
  /** [30,000] */
  readonly requestTimeoutMs?: number;
  /** [300 requests/s, bursts of 600] */
  readonly rate?: RateLimits;
  /** Called once for each finished request. */
  readonly onRequest?: (request: FinishedRequest) => void;
}

/** Lets a thousand new resources be made in two minutes; a server that finds it too much says so by 429, which is obeyed. */
const RATE = { perSecond: 300, burst: 600 };
const PAGE_SIZE = 500;
/** 1,000 pages of 500: no list of ours is larger, and a server that never stops giving `continue` is cut off. */
const MAX_PAGES = 1000;
const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';

const Page = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(KubeObject).nullish(),
});

/** Opens one client: kubeconfig or service account, one set of connections, one rate limit. */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  const transport = createTransport({
    access: openAccess(options.kubeconfig, options.context),
    userAgent: options.userAgent,
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    rate: options.rate ?? RATE,
    onRequest: options.onRequest ?? (() => undefined),
  });
  return {
    ...readers(transport),
    ...writers(transport),
    getRaw: (path, signal) => transport.send({ verb: 'get', kind: 'raw', method: 'GET', path, signal }),
    streamRaw: (path, query, signal) =>
      transport.stream({ verb: 'get', kind: 'raw', method: 'GET', path, query, signal }),
    close: () => transport.close(),
  };
}

function readers(transport: Transport): Pick<KubeClient, 'get' | 'list' | 'watch'> {
  return {
    async get(resource, name) {
      try {
        return await object(transport, {
          verb: 'get',
          kind: resource.kind,
          method: 'GET',
          path: objectPath(resource, name),
        });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async list(resource, options = {}) {
      try {
        return await listPages(transport, { resource, options, limit: PAGE_SIZE });
      } catch (error) {
        if (!isGone(error)) throw error;
        return listPages(transport, { resource, options, limit: undefined });
      }
    },
    watch: (resource, options) => watch(transport, resource, options),
  };
}

function writers(
  transport: Transport,
): Pick<KubeClient, 'create' | 'apply' | 'applyStatus' | 'setFinalizers' | 'patch' | 'replace' | 'delete'> {
  return {
    create: (resource, manifest, manager) =>
      object(transport, {
        verb: 'create',
        kind: resource.kind,
        method: 'POST',
        path: collectionPath(resource, manifest.metadata.namespace),
        query: { fieldManager: manager },
        body: manifest,
      }),
    apply: (resource, manifest, manager) =>
      applyTo(transport, { resource, path: objectPath(resource, manifest.metadata), body: manifest, manager }),
    applyStatus(resource, { namespace, name, resourceVersion, status }, manager) {
      const { apiVersion, kind } = resource;
      const body = { apiVersion, kind, metadata: { name, namespace, resourceVersion }, status };
      return applyTo(transport, {
        resource,
        path: `${objectPath(resource, { namespace, name })}/status`,
        body,
        manager,
      });
    },
    setFinalizers: (resource, { namespace, name, resourceVersion, finalizers }, manager) =>
      object(transport, {
        verb: 'patch',
        kind: resource.kind,
        method: 'PATCH',
        path: objectPath(resource, { namespace, name }),
        query: { fieldManager: manager },
        contentType: MERGE,
        body: { metadata: { resourceVersion, finalizers } },
      }),
    patch: (resource, name, operations, manager) =>
      object(transport, {
        verb: 'patch',
        kind: resource.kind,
        method: 'PATCH',
        path: objectPath(resource, name),
        query: { fieldManager: manager },
        contentType: JSON_PATCH,
        body: operations,
      }),
    replace: (resource, whole, manager) =>
      object(transport, {
        verb: 'update',
        kind: resource.kind,
        method: 'PUT',
        path: objectPath(resource, whole.metadata),
        query: { fieldManager: manager },
        body: { ...whole, apiVersion: resource.apiVersion, kind: resource.kind },
      }),
    delete: (resource, name, preconditions) => remove(transport, resource, name, preconditions),
  };
}

async function object(transport: Transport, request: ApiRequest): Promise<KubeObject> {
  return read(KubeObject, await transport.send(request), request);
}

/** An answer 2xx that is not what the API promises: treated like no answer at all. */
function read<T>(schema: z.ZodType<T>, answer: unknown, request: ApiRequest): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new KubeError(0, 'Unreadable', `${request.verb} ${request.path}: not a Kubernetes object`, {
    cause: parsed.error,
  });
}

interface Apply {
  readonly resource: Resource;
  readonly path: string;
  readonly body: unknown;
  readonly manager: string;
}

function applyTo(transport: Transport, { resource, path, body, manager }: Apply): Promise<KubeObject> {
  const query = { fieldManager: manager, force: 'true' };
  return object(transport, {
    verb: 'apply',
    kind: resource.kind,
    method: 'PATCH',
    path,
    query,
    contentType: APPLY,
    body,
  });
}

async function remove(
  transport: Transport,
  resource: Resource,
  name: ObjectName,
  preconditions: Preconditions | undefined,
): Promise<boolean> {
  const options = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions };
  try {
    const path = objectPath(resource, name);
    await transport.send({ verb: 'delete', kind: resource.kind, method: 'DELETE', path, body: options });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

interface Listing {
  readonly resource: Resource;
  readonly options: ListOptions;
  /** undefined: everything in one answer. */
  readonly limit: number | undefined;
}

async function listPages(transport: Transport, { resource, options, limit }: Listing): Promise<ObjectList> {
  const items: KubeObject[] = [];
  let next: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = {
      ...selector(options),
      ...(limit === undefined ? {} : { limit: String(limit) }),
      ...(next === undefined ? {} : { continue: next }),
    };
    const path = collectionPath(resource, options.namespace);
    const request: ApiRequest = {
      verb: 'list',
      kind: resource.kind,
      method: 'GET',
      path,
      query,
      signal: options.signal,
    };
    const { metadata, items: part } = read(Page, await transport.send(request), request);
    items.push(...(part ?? []));
    next = metadata.continue;
    if (next === undefined || next === '') return { resourceVersion: metadata.resourceVersion, items };
  }
  throw new KubeError(0, 'TooLarge', `list ${resource.kind}: more than ${MAX_PAGES * PAGE_SIZE} objects`);
}

function selector(options: ListOptions): Record<string, string> {
  const { labelSelector, fieldSelector } = options;
  return {
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

async function* watch(transport: Transport, resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent> {
  const chunks = await transport.stream({
    verb: 'watch',
    kind: resource.kind,
    method: 'GET',
    path: collectionPath(resource, options.namespace),
    query: {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      timeoutSeconds: String(options.timeoutSeconds),
      ...selector(options),
    },
    signal: options.signal,
  });
  for await (const line of splitLines(chunks, options.onBytes ?? (() => undefined))) yield parseWatchLine(line);
}
