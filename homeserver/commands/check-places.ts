import { ConfigError } from '../config/load.ts';
import { loadTurnService } from '../config/turn-service.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { directoryProblem } from '../media/check-directory.ts';

/** Checks what the configuration points at and a start would rely on. Rejects with ConfigError. */
export async function checkPlaces(config: HomeserverConfig, file: string): Promise<void> {
  const problem = config.media === undefined ? undefined : await directoryProblem(config.media.directory);
  await loadTurnService(config);
  if (problem !== undefined) throw new ConfigError(file, [`media.directory: ${problem}`]);
}
