import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { SCHEMA_LEVEL } from '../../../homeserver/contract/schema-version.ts';
import { loadMigrations } from '../../../homeserver/storage/migration-files.ts';
import type { Catalogue } from '../../../operator/upgrades/catalogue.ts';
import { CATALOGUE } from '../../../operator/upgrades/catalogue.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** The version of this tree. */
export const THIS_VERSION = CATALOGUE.default;

/** The minor version after it, which tests make of this tree by other numbers and a few more migrations. */
export const NEXT_VERSION = THIS_VERSION.replace(
  /^(\d+)\.(\d+)\..*$/,
  (_all, major: string, minor: string) => `${major}.${Number(minor) + 1}.0`,
);

/** Schema level of the next version, and the lowest that may serve after its contract. */
export const NEXT_LEVEL = SCHEMA_LEVEL + 1;

/** Folder of the migrations that the next version has beside those of this one. */
export const NEXT_MIGRATIONS = join(import.meta.dirname, 'migrations');

/** What `versions.json` will say in the next release: both versions, and that the way back ends with the contract. */
async function nextCatalogue(): Promise<Catalogue> {
  const current = CATALOGUE.versions[THIS_VERSION];
  if (current === undefined) throw new Error(`the catalogue lacks ${THIS_VERSION}`);
  const more = (await loadMigrations(new URL('./migrations/', import.meta.url))).map(({ name, phase }) => ({
    name,
    phase,
  }));
  const next = { ...current, schemaLevel: NEXT_LEVEL, compatLevel: NEXT_LEVEL, upgradeFrom: THIS_VERSION };
  const migrations = [...current.migrations, ...more];
  const versions = { ...CATALOGUE.versions, [NEXT_VERSION]: { ...next, migrations } };
  return { default: NEXT_VERSION, versions };
}

/** The files in which the next version differs: path from the root -> what it will read. */
async function nextFiles(): Promise<ReadonlyMap<string, string>> {
  const read = (path: string) => readFile(join(ROOT, path), 'utf8');
  const replaced = (text: string, pattern: RegExp, by: string): string => {
    if (!pattern.test(text)) throw new Error(`the next version cannot be made: nothing looks like ${pattern.source}`);
    return text.replace(pattern, by);
  };
  const levels = await read('homeserver/contract/schema-version.ts');
  const withSchema = replaced(levels, /SCHEMA_LEVEL = \d+;/, `SCHEMA_LEVEL = ${NEXT_LEVEL};`);
  return new Map([
    ['package.json', replaced(await read('package.json'), /"version": "[^"]*"/, `"version": "${NEXT_VERSION}"`)],
    [
      'homeserver/contract/schema-version.ts',
      replaced(withSchema, /COMPAT_LEVEL = \d+;/, `COMPAT_LEVEL = ${NEXT_LEVEL};`),
    ],
    ['operator/upgrades/versions.json', JSON.stringify(await nextCatalogue())],
  ]);
}

/** Builds the next version from this tree; fails if a file that makes the difference is no longer part of the programs. */
export async function nextVersion(): Promise<Plugin> {
  const files = await nextFiles();
  return {
    name: 'next-version',
    setup(build) {
      const left = new Set(files.keys());
      for (const [path, contents] of files) {
        const filter = new RegExp(`^${join(ROOT, path).replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
        build.onLoad({ filter }, () => {
          left.delete(path);
          return { contents, loader: path.endsWith('.json') ? 'json' : 'ts' };
        });
      }
      build.onEnd(() => {
        if (left.size > 0) throw new Error(`the next version is this one: no program reads ${[...left].join(', ')}`);
      });
    },
  };
}
