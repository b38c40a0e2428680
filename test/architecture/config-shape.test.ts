import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { HomeserverConfig } from '../../homeserver/contract/config-schema.ts';
import { CONFIG_SCHEMA } from '../../homeserver/contract/schema-version.ts';
import { CATALOGUE } from '../../operator/upgrades/catalogue.ts';
import previous from '../upgrade/previous-release.json' with { type: 'json' };

/**
 * Fingerprint of the keys of `homeserver.yaml` for each CONFIG_SCHEMA. A number that a release has keeps its fingerprint for
 * good: the operator lets such a version start with the configuration of another one that has the same number.
 */
const RECORDED: Readonly<Record<number, string>> = {
  1: '46eb942f5a70899d',
  2: '05a43e0ded80e2a8',
};

/** What makes a difference to reading a file: words for people and what is put in for an absent key do not. */
function shapeOf(schema: unknown, isNames = false): unknown {
  if (Array.isArray(schema)) return schema.map((item) => shapeOf(item));
  if (typeof schema !== 'object' || schema === null) return schema;
  const members = Object.entries(schema)
    .filter(([key]) => isNames || (key !== 'description' && key !== 'default'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [key, shapeOf(value, !isNames && key === 'properties')]);
  return Object.fromEntries(members);
}

function fingerprint(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return createHash('sha256')
    .update(JSON.stringify(shapeOf(json)))
    .digest('hex')
    .slice(0, 16);
}

test('other keys of homeserver.yaml have another CONFIG_SCHEMA', () => {
  const released = CATALOGUE.versions[previous.version]?.configSchema ?? 0;
  const wayOut =
    CONFIG_SCHEMA === released
      ? `release ${previous.version} has CONFIG_SCHEMA ${released} with other keys: raise it, and record the fingerprint under the new number`
      : `no release has CONFIG_SCHEMA ${CONFIG_SCHEMA} yet: record the fingerprint`;
  expect(fingerprint(HomeserverConfig), wayOut).toBe(RECORDED[CONFIG_SCHEMA]);
});

test('a fingerprint tells of a key, its type and its limits, and not of descriptions and defaults', () => {
  const of = (port: z.ZodType, rest = {}) => fingerprint(z.strictObject({ port, ...rest }));
  const one = of(z.int().max(9));
  expect(of(z.int().max(9).describe('A port.'))).toBe(one);
  expect(of(z.int().max(9).default(3))).not.toBe(one);
  expect(of(z.int().max(9).default(3))).toBe(of(z.int().max(9).default(4)));
  expect(of(z.int().max(8))).not.toBe(one);
  expect(of(z.string())).not.toBe(one);
  expect(of(z.int().max(9), { default: z.string() })).not.toBe(one);
});
