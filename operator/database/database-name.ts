import { createHash } from 'node:crypto';

/** 63 bytes is PostgreSQL's limit; `_0` and `_1` stand behind it in the names of the login roles. */
const MAX_BYTES = 61;
const HASH_CHARACTERS = 8;

/**
 * `mhs_<namespace>_<name>_<8 hex>`, at most 61 bytes. The hash covers the cluster's name too, and keeps apart what
 * looks alike after shortening.
 */
export function deriveDatabaseName(of: { clusterName: string; namespace: string; name: string }): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([of.clusterName, of.namespace, of.name]))
    .digest('hex');
  const readable = `mhs_${of.namespace}_${of.name}`.replaceAll(/[^a-z0-9_]/g, '_');
  return `${readable.slice(0, MAX_BYTES - HASH_CHARACTERS - 1)}_${hash.slice(0, HASH_CHARACTERS)}`;
}
