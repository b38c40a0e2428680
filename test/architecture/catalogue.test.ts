import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMPAT_LEVEL, CONFIG_SCHEMA, SCHEMA_LEVEL } from '../../homeserver/contract/schema-version.ts';
import { loadMigrations } from '../../homeserver/storage/migration-files.ts';
import { CATALOGUE } from '../../operator/upgrades/catalogue.ts';

test('the default of the catalogue is this package; levels and migrations are those of the program', async () => {
  const packageFile: unknown = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(packageFile).toMatchObject({ version: CATALOGUE.default });
  expect(CATALOGUE.versions[CATALOGUE.default]).toMatchObject({
    configSchema: CONFIG_SCHEMA,
    schemaLevel: SCHEMA_LEVEL,
    compatLevel: COMPAT_LEVEL,
    migrations: (await loadMigrations()).map(({ name, phase }) => ({ name, phase })),
  });
});
