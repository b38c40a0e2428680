import * as z from 'zod';
import { HomeserverConfig } from '../../../homeserver/contract/config-schema.ts';

/** What a writer or reader process is told on its command line. */
export const ProcessInput = z.object({
  directory: z.string(),
  /** Numbers of the rooms that are written to. */
  rooms: z.array(z.number()),
  kind: z.enum(['events', 'commits']),
});

export type ProcessInput = z.infer<typeof ProcessInput>;

export function readInput(): ProcessInput {
  return ProcessInput.parse(JSON.parse(process.argv[2] ?? ''));
}

export function databaseConfig(directory: string): HomeserverConfig['database'] {
  return HomeserverConfig.shape.database.parse({ directory, tlsMode: 'Disable', poolSize: 4 });
}

/** One line of JSON; resolves when it has left this process, so that a kill afterwards cannot take it back. */
export function say(value: unknown): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(`${JSON.stringify(value)}\n`, () => {
      resolve();
    });
  });
}

/** Opens something again and again until the database lets it. */
export async function persist<T>(open: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    try {
      return await open();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error('the database never came back');
}
