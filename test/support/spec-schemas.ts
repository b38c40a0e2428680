import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { AnySchemaObject, ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import * as z from 'zod';
import { specDataFolder } from './spec-data.ts';
import { readOperations } from './spec-operations.ts';
import type { SpecOperation } from './spec-operations.ts';

/** The files of the specification's data by this name, so that their references to each other lead somewhere. */
const BASE = 'spec://data/';

/** One answer of the server. */
export interface SpecAnswer {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  readonly body: unknown;
}

/** Says what of an answer is not as the specification has it; an empty text when nothing is, or it says nothing of it. */
export type SpecCheck = (answer: SpecAnswer) => Promise<string>;

/** Operations that answer null for what the specification would have left out, as all servers do: their code says why. */
const NULL_FOR_ABSENT: ReadonlySet<string> = new Set(['getJoinedMembersByRoom']);

function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([, member]: [string, unknown]) => member !== null);
  return Object.fromEntries(entries.map(([key, member]: [string, unknown]) => [key, withoutNulls(member)]));
}

/** Checks answers against the response schemas of the specification; undefined where its data is not at hand. */
export function openSpecCheck(): SpecCheck | undefined {
  const folder = specDataFolder();
  if (folder === undefined) return undefined;
  const schemas = new ResponseSchemas(folder);
  const operations = readOperations().map((operation) => ({ operation, pattern: patternOf(operation) }));
  return async ({ method, path, status, body }) => {
    const plain = path.split('?', 1)[0] ?? path;
    const found = operations.find(({ operation, pattern }) => operation.method === method && pattern.test(plain));
    const validate = found === undefined ? undefined : await schemas.validatorOf(found.operation, status);
    const hasNulls = found !== undefined && NULL_FOR_ABSENT.has(found.operation.operationId);
    if (validate === undefined || validate(hasNulls ? withoutNulls(body) : body)) return '';
    const faults = (validate.errors ?? []).map(
      (fault) => `  ${fault.instancePath || 'the body'} ${fault.message ?? ''}`,
    );
    return `${method} ${plain}: the answer ${status} is not as the specification has it\n${faults.join('\n')}`;
  };
}

function patternOf(operation: SpecOperation): RegExp {
  return new RegExp(`^${operation.path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]*')}$`);
}

const Paths = z.looseObject({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.looseObject({ operationId: z.string().optional(), responses: z.unknown() })),
  ),
});
const Response = z.looseObject({
  content: z.looseObject({ 'application/json': z.looseObject({ schema: z.unknown() }) }),
});

class ResponseSchemas {
  readonly #folder: string;
  readonly #ajv: Ajv2020;
  readonly #validators = new Map<string, Promise<ValidateFunction | undefined>>();

  constructor(folder: string) {
    this.#folder = folder;
    this.#ajv = new Ajv2020({
      strict: false,
      // Formats are the specification's own (mx-user-id and the like), and files hold more than schemas.
      validateFormats: false,
      validateSchema: false,
      allErrors: true,
      loadSchema: (uri) => Promise.resolve(this.#read(uri)),
    });
  }

  validatorOf(operation: SpecOperation, status: number): Promise<ValidateFunction | undefined> {
    const key = `${operation.file} ${operation.operationId} ${status}`;
    const known = this.#validators.get(key);
    if (known !== undefined) return known;
    const made = this.#compile(operation, status);
    this.#validators.set(key, made);
    return made;
  }

  async #compile(operation: SpecOperation, status: number): Promise<ValidateFunction | undefined> {
    const file = `api/${operation.file}`;
    const pointer = this.#pointerTo(file, operation.operationId, status);
    if (pointer === undefined) return undefined;
    return this.#ajv.compileAsync({ $ref: `${BASE}${file}#${pointer}` });
  }

  /** Where the schema of a response stands in its file. */
  #pointerTo(file: string, operationId: string, status: number): string | undefined {
    const { paths } = Paths.parse(this.#read(`${BASE}${file}`));
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (operation.operationId !== operationId) continue;
        const responses = z.record(z.string(), z.unknown()).parse(operation.responses);
        if (!Response.safeParse(responses[String(status)]).success) return undefined;
        const steps = ['paths', path, method, 'responses', String(status), 'content', 'application/json', 'schema'];
        return steps.map((step) => `/${encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
      }
    }
    return undefined;
  }

  #read(uri: string): AnySchemaObject {
    const file = decodeURIComponent(uri.slice(BASE.length));
    const document: unknown = parse(readFileSync(join(this.#folder, file), 'utf8'));
    return z.record(z.string(), z.unknown()).parse(usable(document, uri));
  }
}

/**
 * References made absolute: they are relative to the file they stand in, and the validator takes schemas out of their files. `oneOf`
 * made `anyOf`: the specification says it where one alternative takes everything ("the content, or with format=event the event").
 */
function usable(value: unknown, uri: string): unknown {
  if (Array.isArray(value)) return value.map((item) => usable(item, uri));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]: [string, unknown]) => {
      if (key === '$ref' && typeof member === 'string') return [key, new URL(member, uri).href];
      return [key === 'oneOf' ? 'anyOf' : key, usable(member, uri)];
    }),
  );
}
