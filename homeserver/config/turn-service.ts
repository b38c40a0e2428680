import { readFile } from 'node:fs/promises';
import type { TurnService } from '../calls/turn-credentials.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { ConfigError } from './load.ts';

/** The TURN server of the configuration with its secret; undefined without one. Rejects with ConfigError. */
export async function loadTurnService({ turn }: HomeserverConfig): Promise<TurnService | undefined> {
  if (turn === undefined) return undefined;
  const secret = (await readText(turn.secretFile)).trim();
  if (secret === '') throw new ConfigError(turn.secretFile, ['turn.secretFile: it is empty']);
  return { uris: turn.uris, secret, lifetimeSeconds: turn.credentialLifetimeSeconds };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(file, [`turn.secretFile: ${cause instanceof Error ? cause.message : 'not readable'}`]);
  }
}
