import { ConfigError } from '../config/load.ts';
import { awayField, openMediaBucket } from '../config/media-bucket.ts';
import { loadTurnService } from '../config/turn-service.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { bucketProblem } from '../media/check-bucket.ts';
import { directoryProblem } from '../media/check-directory.ts';

/**
 * Checks what the configuration points at and a start would rely on. Gives back what is away now and may come back by itself: a
 * server starts without it. Rejects with ConfigError.
 */
export async function checkPlaces(config: HomeserverConfig, file: string): Promise<string | undefined> {
  await loadTurnService(config);
  const { directory } = config.media ?? {};
  const problem = directory === undefined ? undefined : await directoryProblem(directory);
  if (problem !== undefined) throw new ConfigError(file, [`media.directory: ${problem}`]);
  return checkBucket(config, file);
}

/** A refusal is a fault of the configuration; silence is not, and rooms have no need of the bucket. */
async function checkBucket(config: HomeserverConfig, file: string): Promise<string | undefined> {
  const bucket = openMediaBucket(config, file);
  if (bucket === undefined) return undefined;
  const problem = await bucketProblem(bucket, awayField(config)).finally(() => bucket.close());
  if (problem?.passing === false) throw new ConfigError(file, [problem.message]);
  return problem?.message;
}
