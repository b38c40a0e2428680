import * as z from 'zod';

/** What a caller of `migrate` believes the program to be, as JSON in `--expect`; another program ends with code 14. */
export const ExpectedProgram = z.strictObject({
  version: z.string().max(64),
  schemaLevel: z.int(),
  compatLevel: z.int(),
  /** Every migration file in order, as `expand 0001-ops.sql`. */
  migrations: z.array(z.string().max(120)).max(5000),
});

export type ExpectedProgram = z.infer<typeof ExpectedProgram>;

/** The first thing in which a program is another than expected; undefined when there is none. */
export function findDifference(expected: ExpectedProgram, found: ExpectedProgram): string | undefined {
  for (const key of ['version', 'schemaLevel', 'compatLevel'] as const) {
    if (expected[key] !== found[key]) return `${key} is ${found[key]}, ${expected[key]} was expected`;
  }
  const extra = found.migrations.find((name) => !expected.migrations.includes(name));
  if (extra !== undefined) return `migration "${extra}" was not expected`;
  const missing = expected.migrations.find((name) => !found.migrations.includes(name));
  return missing === undefined ? undefined : `migration "${missing}" is missing`;
}
