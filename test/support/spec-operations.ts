import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';

/** Where `npm run generate` keeps what the specification's OpenAPI data says, so that nobody needs that data to read it. */
export const OPERATIONS_FILE = 'test/architecture/spec-operations.json';

/** The APIs of a homeserver: those it serves, and those of others that it calls. The identity service is no part of one. */
export const SPEC_APIS = ['client-server', 'server-server', 'application-service', 'push-gateway'] as const;

const SpecOperation = z.strictObject({
  api: z.enum(SPEC_APIS),
  operationId: z.string(),
  method: z.enum(['GET', 'POST', 'PUT', 'DELETE']),
  /** With `:name` for parameters. */
  path: z.string(),
  auth: z.enum(['none', 'optional', 'user', 'appservice', 'server', 'homeserver', 'query-token']),
  rateLimited: z.boolean(),
  /** File below `api/` that describes it. */
  file: z.string(),
});
export type SpecOperation = z.infer<typeof SpecOperation>;

const ROOT = join(import.meta.dirname, '..', '..');

/** All operations of the specification, from the file in this repository. */
export function readOperations(): SpecOperation[] {
  return z.array(SpecOperation).parse(JSON.parse(readFileSync(join(ROOT, OPERATIONS_FILE), 'utf8')));
}

const Security = z.array(z.record(z.string(), z.unknown())).optional();
const Operation = z.looseObject({
  operationId: z.string(),
  security: Security,
  responses: z.record(z.string(), z.unknown()),
});
const Api = z.looseObject({
  servers: z.array(z.looseObject({ variables: z.looseObject({ basePath: z.looseObject({ default: z.string() }) }) })),
  security: Security,
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
});

/** What the security schemes of the specification are called here. */
const AUTH_BY_SCHEME: Readonly<Record<string, SpecOperation['auth']>> = {
  accessTokenBearer: 'user',
  appserviceAccessTokenBearer: 'appservice',
  signedRequest: 'server',
  homeserverAccessToken: 'homeserver',
  accessToken: 'query-token',
};

/** Draws the operations from the specification's OpenAPI data, in the order of APIs and paths. */
export function extractOperations(folder: string): SpecOperation[] {
  return SPEC_APIS.flatMap((api) => {
    const files = globSync(`api/${api}/*.yaml`, { cwd: folder });
    return files.flatMap((file) => operationsOf(folder, api, file)).sort(byPath);
  });
}

function operationsOf(folder: string, api: SpecOperation['api'], file: string): SpecOperation[] {
  const description = Api.parse(parse(readFileSync(join(folder, file), 'utf8')));
  const base = description.servers[0]?.variables.basePath.default ?? '';
  return Object.entries(description.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, value]): SpecOperation => {
      const operation = Operation.parse(value);
      return SpecOperation.parse({
        api,
        operationId: operation.operationId,
        method: method.toUpperCase(),
        // Two operations of one path are told apart by a space at the end of one.
        path: base + path.trim().replaceAll(/\{(\w+)\}/g, ':$1'),
        auth: authOf(operation.security ?? description.security ?? []),
        rateLimited: operation.responses['429'] !== undefined,
        file: file.slice('api/'.length),
      });
    }),
  );
}

function authOf(security: readonly Readonly<Record<string, unknown>>[]): SpecOperation['auth'] {
  const schemes = security.flatMap((scheme) => Object.keys(scheme));
  const [scheme] = schemes;
  if (scheme === undefined) return 'none';
  const auth = AUTH_BY_SCHEME[scheme];
  if (auth === undefined) throw new Error(`the specification has a security scheme without a name here: ${scheme}`);
  return security.length > schemes.length ? 'optional' : auth;
}

function byPath(a: SpecOperation, b: SpecOperation): number {
  const [left, right] = [`${a.path} ${a.method}`, `${b.path} ${b.method}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
