import type { ExitCode } from '../contract/exit-codes.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import type { MigrationFile, MigrationPhase } from './migration-files.ts';

/** What a migration would start from. */
export interface FoundSchema {
  /** Undefined: nothing has been migrated yet. */
  state: { schemaVersion: number; compatVersion: number; serverName: string } | undefined;
  applied: readonly { name: string; checksum: string }[];
}

/** What this program wants. */
export interface WantedSchema {
  level: number;
  compatLevel: number;
  serverName: string;
  files: readonly MigrationFile[];
}

/** Printed by `migrate plan --json`. */
export interface MigrationPlan {
  serverName: string;
  /** Null: a new database. */
  schemaVersion: number | null;
  compatVersion: number | null;
  targetSchemaVersion: number;
  targetCompatVersion: number;
  /** Files still to apply, in order. */
  pending: { name: string; phase: MigrationPhase }[];
  /** Whether programs of the level before still work after the contract phase. */
  contractRaisesCompat: boolean;
}

export type PlannedMigration = { ok: true; plan: MigrationPlan } | { ok: false; exitCode: ExitCode; message: string };

/** What is to be done, or why nothing may be done. */
export function planMigration(wanted: WantedSchema, found: FoundSchema): PlannedMigration {
  const refusal = refuseServer(wanted, found) ?? refuseSchema(wanted, found) ?? refuseFiles(wanted, found);
  if (refusal !== undefined) return { ok: false, ...refusal };
  return { ok: true, plan: planFrom(wanted, found) };
}

function planFrom(wanted: WantedSchema, { state, applied }: FoundSchema): MigrationPlan {
  const names = new Set(applied.map((file) => file.name));
  const { schemaVersion, compatVersion } = state ?? { schemaVersion: null, compatVersion: null };
  return {
    serverName: wanted.serverName,
    schemaVersion,
    compatVersion,
    targetSchemaVersion: Math.max(wanted.level, schemaVersion ?? 0),
    targetCompatVersion: Math.max(wanted.compatLevel, compatVersion ?? 0),
    pending: wanted.files.filter((file) => !names.has(file.name)).map(({ name, phase }) => ({ name, phase })),
    contractRaisesCompat: compatVersion !== null && compatVersion < wanted.compatLevel,
  };
}

type Refusal = { exitCode: ExitCode; message: string };

function refuseServer(wanted: WantedSchema, { state }: FoundSchema): Refusal | undefined {
  if (state === undefined || state.serverName === wanted.serverName) return undefined;
  const message = `this database belongs to the server ${state.serverName}, the configuration says ${wanted.serverName}`;
  return { exitCode: EXIT_CODES.wrongDatabase, message };
}

/** A program that could not serve on the database has no business changing it. */
function refuseSchema(wanted: WantedSchema, { state }: FoundSchema): Refusal | undefined {
  if (state === undefined || wanted.level >= state.compatVersion) return undefined;
  const needs = `needs a program of level ${state.compatVersion} or newer, this one has ${wanted.level}`;
  return { exitCode: EXIT_CODES.schemaUnfit, message: `the database has schema ${state.schemaVersion} and ${needs}` };
}

function refuseFiles(wanted: WantedSchema, found: FoundSchema): Refusal | undefined {
  const files = new Map(wanted.files.map((file) => [file.name, file]));
  for (const { name, checksum } of found.applied) {
    const file = files.get(name);
    if (file !== undefined && file.checksum !== checksum) {
      return { exitCode: EXIT_CODES.schemaUnfit, message: `migration ${name} was edited after it had been applied` };
    }
    if (file === undefined && (found.state?.schemaVersion ?? 0) <= wanted.level) {
      return {
        exitCode: EXIT_CODES.schemaUnfit,
        message: `migration ${name} has been applied but is not in this program`,
      };
    }
  }
  return undefined;
}
