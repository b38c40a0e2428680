/** How every command of the homeserver ends; the operator reads these from pods and Jobs. */
export const EXIT_CODES = {
  done: 0,
  failed: 1,
  badUsage: 2,
  configInvalid: 10,
  schemaUnfit: 11,
  wrongDatabase: 12,
  keyUnreadable: 13,
  unexpectedProgram: 14,
  temporary: 20,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];
