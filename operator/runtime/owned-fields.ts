import { createHash } from 'node:crypto';
import type { KubeObject, Manifest } from './kube-object.ts';

type Json = Readonly<Record<string, unknown>>;
/** Deeper than any kind of ours (a pod template in a Deployment is about 12). */
const MAX_DEPTH = 64;

/** Digest of a manifest's own fields, comparable with `ownedDigest`. Secrets must use `data`, not `stringData`. */
export function desiredDigest(manifest: Manifest): string {
  return digest(manifest);
}

/** Digest of the fields of `object` that `manager` owns (status left out); undefined when it owns none. */
export function ownedDigest(object: KubeObject, manager: string): string | undefined {
  const entries = object.metadata.managedFields?.filter(
    (entry) => entry.manager === manager && (entry.subresource ?? '') === '' && entry.fieldsV1 !== undefined,
  );
  if (entries === undefined || entries.length === 0) return undefined;
  const fields = entries.reduce<Json>((all, entry) => mergeFields(all, entry.fieldsV1 ?? {}), {});
  return digest(asRecord(ownedPart(object, fields, 0)) ?? {});
}

/** Who wrote last to an object, beside `manager` and those of its status; undefined when nobody did. */
export function lastManager({ metadata }: KubeObject, manager: string): string | undefined {
  const others = (metadata.managedFields ?? []).filter(
    (entry) => entry.manager !== manager && (entry.subresource ?? '') === '',
  );
  return others.sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''))[0]?.manager;
}

/** One manager can have an entry for each API version that it ever used. */
function mergeFields(a: Json, b: Json, depth = 0): Json {
  if (depth > MAX_DEPTH) return a;
  const merged: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    merged[key] = mergeFields(asRecord(merged[key]) ?? {}, asRecord(value) ?? {}, depth + 1);
  }
  return merged;
}

/** Cuts out of `value` what a FieldsV1 tree names. An empty tree is a leaf: the whole value. */
function ownedPart(value: unknown, fields: Json, depth: number): unknown {
  const names = Object.keys(fields).filter((name) => name !== '.');
  if (Object.keys(fields).length === 0 || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) return ownedItems(value, fields, depth);
  const record = asRecord(value);
  if (record === undefined) return value;
  const part: Record<string, unknown> = {};
  for (const name of names) {
    const member = name.slice(2);
    if (!name.startsWith('f:') || !(member in record)) continue;
    part[member] = ownedPart(record[member], asRecord(fields[name]) ?? {}, depth + 1);
  }
  return part;
}

function ownedItems(list: readonly unknown[], fields: Json, depth: number): unknown[] {
  const selectors = Object.entries(fields).flatMap(([name, sub]) => {
    const matches = itemMatcher(name);
    return matches === undefined ? [] : [{ matches, sub: asRecord(sub) ?? {} }];
  });
  return list.flatMap((item, index) => {
    const found = selectors.find(({ matches }) => matches(item, index));
    return found === undefined ? [] : [ownedPart(item, found.sub, depth + 1)];
  });
}

/** `k:{"name":"a"}` selects by keys, `v:"x"` by value, `i:3` by position. */
function itemMatcher(name: string): ((item: unknown, index: number) => boolean) | undefined {
  const kind = name.slice(0, 2);
  if (kind === 'i:') return (_item, index) => index === Number(name.slice(2));
  if (kind === 'v:') {
    const wanted: unknown = JSON.parse(name.slice(2));
    return (item) => item === wanted;
  }
  if (kind !== 'k:') return undefined;
  const keys = Object.entries(asRecord(JSON.parse(name.slice(2))) ?? {});
  return (item) => {
    const record = asRecord(item);
    return record !== undefined && keys.every(([key, value]) => record[key] === value);
  };
}

function digest(object: Json): string {
  const rest = without(object, ['apiVersion', 'kind', 'status']);
  const metadata = without(asRecord(rest['metadata']) ?? {}, ['name', 'namespace']);
  const fields = { ...rest, metadata: withoutEmpty(metadata) };
  return createHash('sha256').update(canonical(fields, 0)).digest('base64url').slice(0, 22);
}

/** The API server drops empty labels and annotations, but keeps empty objects in a spec, where they mean something. */
function withoutEmpty(metadata: Json): Json {
  const entries = Object.entries(metadata).filter(([, value]) => {
    if (Array.isArray(value)) return value.length > 0;
    return Object.keys(asRecord(value) ?? { one: 1 }).length > 0;
  });
  return Object.fromEntries(entries);
}

/** JSON with sorted keys; members that are undefined are left out, as in what is sent. */
function canonical(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw new RangeError('object is nested too deeply');
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(',')}]`;
  const record = asRecord(value);
  if (record === undefined) return JSON.stringify(value) ?? 'null';
  const members = Object.keys(record)
    .filter((key) => record[key] !== undefined)
    .sort((a, b) => (a < b ? -1 : 1))
    .map((key) => `${JSON.stringify(key)}:${canonical(record[key], depth + 1)}`);
  return `{${members.join(',')}}`;
}

function without(record: Json, names: readonly string[]): Json {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}

function asRecord(value: unknown): Json | undefined {
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
