import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMPAT_LEVEL, CONFIG_SCHEMA, SCHEMA_LEVEL } from '../../homeserver/contract/schema-version.ts';
import { loadMigrations } from '../../homeserver/storage/migration-files.ts';
import { CATALOGUE } from '../../operator/upgrades/catalogue.ts';
import { compareVersions } from '../../operator/upgrades/semver.ts';
import previous from '../upgrade/previous-release.json' with { type: 'json' };

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

test('lockfile, chart and the table in README have the version of this package', () => {
  const { default: version } = CATALOGUE;
  expect(JSON.parse(readFileSync('package-lock.json', 'utf8'))).toMatchObject({
    version,
    packages: { '': { version } },
  });
  const chart = readFileSync('charts/matrix-operator/Chart.yaml', 'utf8');
  expect(chart).toContain(`\nversion: ${version}\nappVersion: ${version}\n`);
  expect(readFileSync('README.md', 'utf8')).toContain(`quickstart.localhost   ${version} `);
});

test('the previous release is older, known, and lies on the way to this one', () => {
  const { [CATALOGUE.default]: own, [previous.version]: entry } = CATALOGUE.versions;
  expect(compareVersions(previous.version, CATALOGUE.default)).toBeLessThan(0);
  expect(compareVersions(own?.upgradeFrom ?? '', previous.version)).toBeLessThanOrEqual(0);
  // A program that needs more migrations has a level that says so.
  const isSame = entry?.migrations.length === own?.migrations.length;
  expect((own?.schemaLevel ?? 0) - (entry?.schemaLevel ?? 0)).toBeGreaterThanOrEqual(isSame ? 0 : 1);
});

test('no migration of the previous release is edited, removed or renamed', () => {
  const folder = 'homeserver/storage/migrations';
  const { version, commit } = previous;
  const released = CATALOGUE.versions[version]?.migrations ?? [];
  const now = new Set(CATALOGUE.versions[CATALOGUE.default]?.migrations.map(({ name }) => name));
  expect(released.filter(({ name }) => !now.has(name))).toEqual([]);
  const edited = spawnSync('git', ['diff', '--name-only', '--diff-filter=a', commit, '--', folder], {
    encoding: 'utf8',
  });
  // Without the history only the names are known here; test/upgrade/release.test.ts fetches it.
  expect(edited.status === 0 ? edited.stdout : '').toBe('');
});
