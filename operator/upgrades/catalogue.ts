import * as z from 'zod';
import { SEMVER, compareVersions } from './semver.ts';
import versions from './versions.json' with { type: 'json' };

const version = z.string().max(64).regex(SEMVER);

const Migration = z.strictObject({ name: z.string().max(100), phase: z.enum(['expand', 'contract']) });

const Entry = z
  .strictObject({
    /** Digest of the image; absent for versions that are built by hand: their tag is the version. */
    digest: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/)
      .optional(),
    /** Which schema `spec.config` has to fit; versions with one number read each other's configuration. */
    configSchema: z.int().min(1),
    /** Schema level that the program needs. */
    schemaLevel: z.int().min(1),
    /** Lowest level that may run once the contract phase of this version is done. */
    compatLevel: z.int().min(1),
    /** Oldest version from which one step leads here. */
    upgradeFrom: version,
    /** Oldest operator that knows how to run it. */
    minOperator: version,
    /** Every migration file of the program, in order. */
    migrations: z.array(Migration).max(2000),
  })
  .refine(({ schemaLevel, compatLevel }) => compatLevel <= schemaLevel, 'compatLevel is above schemaLevel');

/** `versions.json`. */
export const Catalogue = z
  .strictObject({ default: version, versions: z.record(version, Entry) })
  .refine((catalogue) => Object.hasOwn(catalogue.versions, catalogue.default), 'the default is not in versions');

export type Catalogue = z.infer<typeof Catalogue>;
export type CatalogueEntry = z.infer<typeof Entry>;
export type Migration = z.infer<typeof Migration>;

/** The versions of the homeserver that this operator knows, built into its image. */
export const CATALOGUE: Catalogue = Catalogue.parse(versions);

/** All versions, oldest first. */
export function versionsOf(catalogue: Catalogue): string[] {
  return Object.keys(catalogue.versions).sort(compareVersions);
}

/** The newest version, if it is newer than `current`. */
export function newerThan(catalogue: Catalogue, current: string): string | undefined {
  const newest = versionsOf(catalogue).at(-1);
  return newest !== undefined && compareVersions(newest, current) > 0 ? newest : undefined;
}
