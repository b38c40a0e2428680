/**
 * The window between this program and a database. The database holds `schema_version` S (expands applied) and
 * `compat_version` C (lowest level a program may have); a program of level L serves only if C <= L <= S.
 */
export const SCHEMA_LEVEL = 1;

/** What `compat_version` becomes once this level's contract phase has run. */
export const COMPAT_LEVEL = 1;

/**
 * Number of the configuration's schema. Versions with one number read each other's `homeserver.yaml`; a release that adds,
 * removes or changes a key raises it.
 */
export const CONFIG_SCHEMA = 2;

export interface SchemaState {
  schemaVersion: number;
  compatVersion: number;
}

export function canServe(state: SchemaState, level: number = SCHEMA_LEVEL): boolean {
  return state.compatVersion <= level && level <= state.schemaVersion;
}
