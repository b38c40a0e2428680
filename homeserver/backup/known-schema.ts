import { EXIT_CODES } from '../contract/exit-codes.ts';
import { SCHEMA_LEVEL } from '../contract/schema-version.ts';
import type { MigrationFile } from '../storage/migration-files.ts';
import { UnfitDatabase } from '../storage/schema-check.ts';
import type { Manifest } from './manifest.ts';

/** The files that made the backup's schema, in order. Throws UnfitDatabase for a backup of a newer or an altered program. */
export function knownMigrations(
  { migrations, schema, softwareVersion }: Pick<Manifest, 'migrations' | 'schema' | 'softwareVersion'>,
  files: readonly MigrationFile[],
): MigrationFile[] {
  const known = new Map(files.map((file) => [file.name, file]));
  const made = `the backup was made by version ${softwareVersion} at schema ${schema.version}`;
  return migrations.map(({ name, checksum }) => {
    const file = known.get(name);
    if (file !== undefined && file.checksum === checksum && schema.version <= SCHEMA_LEVEL) return file;
    const why = file === undefined ? `this program does not know its migration ${name}` : `its ${name} was another`;
    const message = `${made}; ${why}: restore with version ${softwareVersion} or newer`;
    throw new UnfitDatabase(EXIT_CODES.schemaUnfit, message);
  });
}
