import * as fc from 'fast-check';
import * as z from 'zod';
import type { AnyEndpoint } from '../../homeserver/http/app.ts';

/** A request that no client should send, before the ids of the test's own room are put in. */
export interface OddRequest {
  readonly route: AnyEndpoint;
  /** The route's path or one of its aliases. */
  readonly path: string;
  /** Values for the parameters in their order; undefined: one that leads somewhere. */
  readonly params: readonly (string | undefined)[];
  readonly query: readonly (readonly [key: string, value: string])[];
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  /** The Authorization header; undefined: a good one. */
  readonly authorization: string | undefined;
}

const ODD_TEXTS = [
  '',
  ' ',
  '.',
  '..',
  '%',
  '\0',
  'a\0b',
  '\ud800',
  '\u202e',
  '💥'.repeat(70),
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(5000),
  "'; drop table rooms; --",
  '$1',
  '{}',
  '__proto__',
  'constructor',
  '-1',
  '1e400',
  '9007199254740993',
  '-9223372036854775809',
  '99999999999999',
  'NaN',
];
const ODD_IDS = [
  '@:',
  '!:',
  '#:',
  '$',
  `@${'a'.repeat(300)}:test.example`,
  '@alice:test.example',
  '@nobody:test.example',
  '@remote:other.example',
  '#none:test.example',
  '!none:test.example',
  's1.p5',
  's99999999999.t1-1',
  'p1_-5',
];

const oddText = fc.oneof(fc.constantFrom(...ODD_TEXTS, ...ODD_IDS), fc.string({ unit: 'binary', maxLength: 40 }));
const oddNumber = fc.constantFrom(
  0,
  -0,
  -1,
  1.5,
  1e21,
  1e308,
  -1e308,
  2 ** 53,
  -(2 ** 53),
  2 ** 31,
  4_102_444_800_000,
  -62_135_596_800_000,
);

/** Members that mean something in events, filters and searches, which no schema of an endpoint names. */
const INNER_KEYS = [
  'type',
  'content',
  'filter',
  'limit',
  'rooms',
  'room',
  'timeline',
  'membership',
  'event_id',
  'ts',
  'state_key',
  'search_categories',
  'order',
  'tags',
  'body',
  'm.relates_to',
  'rel_type',
  'm.in_reply_to',
  'room_version',
  'users',
];
const oddKey = fc.oneof(fc.constantFrom(...INNER_KEYS), oddText);
const { value: oddValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: false },
    oddText,
    oddNumber,
    fc.constantFrom(true, false, null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(oddKey, tie('value')), { maxLength: 6 }).map((entries) => Object.fromEntries(entries)),
  ),
}));
const oddObject = fc.array(fc.tuple(oddKey, oddValue), { maxLength: 8 }).map((entries) => Object.fromEntries(entries));

type JsonSchema = z.core.JSONSchema._JSONSchema;

/** Mostly what the schema asks for, so that a request gets past the first look at it; now and then something else. */
function fitting(schema: JsonSchema | undefined, depth = 0): fc.Arbitrary<unknown> {
  if (schema === undefined || typeof schema === 'boolean' || depth > 4) return oddValue;
  return fc.oneof({ weight: 5, arbitrary: wanted(schema, depth) }, { weight: 1, arbitrary: oddValue });
}

function wanted(schema: z.core.JSONSchema.BaseSchema, depth: number): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined && schema.enum.length > 0) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => fitting(choice, depth + 1)));
  const ofType = typeof schema.type === 'string' ? BY_TYPE.get(schema.type) : undefined;
  return ofType === undefined ? fc.oneof(oddObject, oddValue) : ofType(schema, depth);
}

type Making = (schema: z.core.JSONSchema.BaseSchema, depth: number) => fc.Arbitrary<unknown>;

const numbers = () => fc.oneof(oddNumber, fc.integer({ min: 0, max: 100 }));
const BY_TYPE: ReadonlyMap<string, Making> = new Map<string, Making>([
  ['string', () => oddText],
  ['number', numbers],
  ['integer', numbers],
  ['boolean', () => fc.boolean()],
  ['array', (schema, depth) => fc.array(fitting([schema.items].flat()[0], depth + 1), { maxLength: 4 })],
  ['object', wantedObject],
]);

/** What is required is there almost always, the rest half of the time; beside it something that nobody asked for. */
function wantedObject(schema: z.core.JSONSchema.BaseSchema, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const required = new Set(schema.required);
  const members = Object.entries(schema.properties ?? {}).map(([key, member]) =>
    fc
      .option(fitting(member, depth + 1), { nil: undefined, freq: required.has(key) ? 20 : 1 })
      .map((value): Record<string, unknown> => (value === undefined ? {} : { [key]: value })),
  );
  const more: fc.Arbitrary<Record<string, unknown>> = fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: oddObject },
  );
  return fc.tuple(more, ...members).map((parts) => Object.fromEntries(parts.flatMap((part) => Object.entries(part))));
}

function schemaOf(type: z.ZodType | undefined): JsonSchema | undefined {
  return type === undefined ? undefined : z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' });
}

const RAW_BODIES = [
  '',
  '[',
  'null',
  '"text"',
  '{"a":1}{"a":2}',
  '{"a":1e999,"b":-0}',
  '{"content":{"body":"\\ud800"}}',
  '{"content":{"body":"\\u0000"}}',
  '{"a":1,"a":2}',
  '{"\\\\":1,"\\n":2}',
  '['.repeat(5000),
  `${'{"a":'.repeat(90)}1${'}'.repeat(90)}`,
  `${'['.repeat(200)}${']'.repeat(200)}`,
  `{"body":"${'x'.repeat(70_000)}"}`,
  `{"body":"${'x'.repeat(1_100_000)}"}`,
];
const CONTENT_TYPES = [
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'nonsense',
  ';;',
];
const AUTHORIZATIONS = ['Bearer', 'Bearer none', 'Basic YTpi', `Bearer ${'x'.repeat(1100)}`, "Bearer ' or 1=1"];

const QUERY_KEYS = ['limit', 'from', 'to', 'dir', 'filter', 'since', 'timeout', 'at', 'ts', 'access_token', 'user_id'];

type OddRequestPart<Part extends keyof OddRequest> = fc.Arbitrary<OddRequest[Part]>;

function queryOf(route: AnyEndpoint): OddRequestPart<'query'> {
  const schema = schemaOf(route.query);
  const named = typeof schema === 'object' ? Object.entries(schema.properties ?? {}) : [];
  const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const pairs = named.map(([key, member]) =>
    // A filter is JSON in a text.
    (key === 'filter' ? oddObject : fitting(member)).map((value) => [key, asText(value)] as const),
  );
  const odd = fc.tuple(fc.oneof(fc.constantFrom(...QUERY_KEYS), oddText), oddText);
  return fc.array(fc.oneof(odd, ...pairs), { maxLength: 4 });
}

function bodyOf(route: AnyEndpoint): OddRequestPart<'body'> {
  const object = fc.oneof(oddObject, fitting(schemaOf(route.body)));
  return fc.oneof(
    { weight: 8, arbitrary: object.map((value) => JSON.stringify(value)) },
    { weight: 2, arbitrary: fc.constantFrom(...RAW_BODIES) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => new Uint8Array(bytes)) },
  );
}

function requestTo(route: AnyEndpoint): fc.Arbitrary<OddRequest> {
  return fc.record({
    route: fc.constant(route),
    path: fc.constantFrom(route.path, ...(route.aliases ?? [])),
    params: fc.array(fc.option(oddText, { nil: undefined, freq: 1 }), { minLength: 6, maxLength: 6 }),
    query: queryOf(route),
    body: bodyOf(route),
    contentType: fc.constantFrom(...CONTENT_TYPES),
    authorization: fc.oneof(
      { weight: 30, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom(...AUTHORIZATIONS) },
    ),
  });
}

/** So many requests to those endpoints, each endpoint equally often; the same for the same seed. */
export function sampleOddRequests(routes: readonly AnyEndpoint[], requests: number, seed: number): OddRequest[] {
  return fc.sample(fc.oneof(...routes.map(requestTo)), { numRuns: requests, seed });
}
