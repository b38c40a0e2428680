import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { buildCrd, crdYaml } from './generate-crd.ts';
import type { SchemaNode } from './structural-schema.ts';
import { SCHEMA_PARTS } from './matrix-homeserver.ts';
import { structuralSchema } from './structural-schema.ts';

function walk(node: SchemaNode, path: string, visit: (node: SchemaNode, path: string) => void): void {
  visit(node, path);
  for (const [name, child] of Object.entries(node.properties ?? {})) walk(child, `${path}.${name}`, visit);
  if (node.items !== undefined) walk(node.items, `${path}[]`, visit);
  if (node.additionalProperties !== undefined) walk(node.additionalProperties, `${path}{}`, visit);
}

function faults(check: (node: SchemaNode, path: string) => boolean): string[] {
  const found: string[] = [];
  for (const [name, part] of Object.entries(SCHEMA_PARTS)) {
    walk(structuralSchema(part), name, (node, path) => {
      if (!check(node, path)) found.push(path);
    });
  }
  return found;
}

test('every field has a description', () => {
  expect(faults((node, path) => path.endsWith('{}') || (node.description ?? '') !== '')).toEqual([]);
});

test('every text and every list has a longest length, so that the cost of rules is bounded', () => {
  const isBounded = (node: SchemaNode) =>
    (node.type !== 'string' || node['maxLength'] !== undefined || node['enum'] !== undefined) &&
    (node.type !== 'array' || node['maxItems'] !== undefined);
  expect(faults(isBounded)).toEqual([]);
});

test('as YAML 1.1, which Helm and kubectl read, the definition is the same', () => {
  const wanted: unknown = JSON.parse(JSON.stringify(buildCrd()));
  expect(parse(crdYaml(), { version: '1.1' })).toEqual(wanted);
  expect(parse(crdYaml(), { version: '1.2' })).toEqual(wanted);
});

test('the definition is small and says the same bytes each time', () => {
  expect(crdYaml()).toBe(crdYaml());
  expect(JSON.stringify(buildCrd()).length).toBeLessThan(150_000);
});
