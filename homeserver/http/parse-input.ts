import type { z } from 'zod';
import { MatrixError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { faultOfText } from './json-body.ts';

type Place = 'path' | 'query' | 'body';

/**
 * Checks one part of a request with the endpoint's schema. The error names the member and what is allowed:
 * M_MISSING_PARAM when it is absent, M_INVALID_PARAM for a wrong value, M_BAD_JSON for a body of the wrong shape.
 */
export function parseInput(schema: z.ZodType | undefined, value: unknown, place: Place): unknown {
  if (schema === undefined) return undefined;
  if (place !== 'body') checkTexts(value, place);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw new MatrixError('M_INVALID_PARAM');
  throw inputError(issue, value, place);
}

function inputError(issue: z.core.$ZodIssue, value: unknown, place: Place): MatrixError {
  const at = issue.path.map(String).join('.');
  const missing = issue.code === 'invalid_type' && valueAt(value, issue.path) === undefined;
  const where = at === '' ? `the ${place}` : place === 'body' ? at : `${at} (in the ${place})`;
  const says = missing ? `is required (${issue.message})` : issue.message;
  return new MatrixError(codeOf(issue, missing, place), `${where}: ${says}`);
}

function codeOf(issue: z.core.$ZodIssue, missing: boolean, place: Place): ErrorCode {
  if (missing && issue.path.length > 0) return 'M_MISSING_PARAM';
  if (place !== 'body') return 'M_INVALID_PARAM';
  return issue.code === 'invalid_type' || issue.code === 'invalid_union' ? 'M_BAD_JSON' : 'M_INVALID_PARAM';
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = Reflect.get(found, key);
  }
  return found;
}

/** Paths and queries are flat: texts, or lists of texts where a key was repeated. */
function checkTexts(values: unknown, place: Place): void {
  if (typeof values !== 'object' || values === null) return;
  for (const [key, value] of Object.entries(values)) {
    const texts: unknown[] = [key, value].flat();
    const fault = texts.map(faultOf).find((found) => found !== undefined);
    if (fault !== undefined) throw new MatrixError('M_INVALID_PARAM', `${place}: a value holds ${fault}.`);
  }
}

function faultOf(value: unknown): string | undefined {
  return typeof value === 'string' ? faultOfText(value) : undefined;
}
