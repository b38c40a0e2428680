import { COMPAT_LEVEL, CONFIG_SCHEMA, SCHEMA_LEVEL } from '../../../homeserver/contract/schema-version.ts';
import type { MigrationFile } from '../../../homeserver/storage/migration-files.ts';
import { loadMigrations, parseMigration } from '../../../homeserver/storage/migration-files.ts';
import { CATALOGUE, Catalogue } from '../../../operator/upgrades/catalogue.ts';

/** A version of the homeserver that the stand-ins run. */
export interface TestProgram {
  readonly version: string;
  readonly level: number;
  readonly compatLevel: number;
  readonly files: readonly MigrationFile[];
}

const own = await loadMigrations();

const NEXT = [
  parseMigration('9001-more.sql', '-- expand. Test.\ncreate table test_more (n int4);\n'),
  parseMigration('9002-less.sql', '-- contract. Test.\ncreate table test_less (n int4);\n'),
];

const base = { version: '0.1.0', level: SCHEMA_LEVEL, compatLevel: COMPAT_LEVEL, files: own };
const next = { level: SCHEMA_LEVEL + 1, compatLevel: SCHEMA_LEVEL + 1, files: [...own, ...NEXT] };

/** The program of this repository under its own number. */
export const OWN_PROGRAM: TestProgram = { ...base, version: CATALOGUE.default };
const OWN_IMAGE = 'localhost/matrix-operator:own';

/** What an operator is started with that works beside our operator as a process of its own, or beside our real homeserver. */
export const OWN_RELEASE = {
  catalogue: CATALOGUE,
  operatorVersion: CATALOGUE.default,
  homeserverImage: OWN_IMAGE,
};

/** Numbers of the tests alone, whatever the release. */
const PROGRAMS: readonly TestProgram[] = [
  base,
  { ...base, version: '0.1.1' },
  { ...next, version: '0.2.0' },
  { ...next, version: '0.3.0' },
];

/** The program in an image: by its tag, else what is in this repository. */
export function programOf(image: string): TestProgram {
  if (image === OWN_IMAGE) return OWN_PROGRAM;
  return PROGRAMS.find(({ version }) => image.endsWith(`:${version}`)) ?? base;
}

const catalogueOf = (programs: readonly TestProgram[]): Catalogue =>
  Catalogue.parse({
    default: '0.1.0',
    versions: Object.fromEntries(
      programs.map(({ version, level, compatLevel, files }) => [
        version,
        {
          configSchema: CONFIG_SCHEMA,
          schemaLevel: level,
          compatLevel,
          upgradeFrom: version === '0.3.0' ? '0.2.0' : '0.1.0',
          minOperator: '0.1.0',
          migrations: files.map(({ name, phase }) => ({ name, phase })),
        },
      ]),
    ),
  });

/** The catalogue of all of them; 0.3.0 can be reached from 0.2.0 on. */
export const TEST_CATALOGUE = catalogueOf(PROGRAMS);

/** The catalogue of an operator that knows 0.1.0 alone. */
export const FIRST_CATALOGUE = catalogueOf([base]);
