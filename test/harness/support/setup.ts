import { binary, buildAll, clusterPrograms } from '../../cluster/binaries.ts';
import { pauseImage } from '../../cluster/images/pause-image.ts';
import { postgresImage } from '../../cluster/images/postgres-image.ts';
import { ensurePrograms, nodePrograms } from '../../cluster/local/packages.ts';

/** What takes minutes on a machine that has never done it is no matter of a test with a time limit. */
export default async function setup(): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return;
  await ensurePrograms(nodePrograms);
  await buildAll(clusterPrograms);
  await binary('kubectl');
  await pauseImage();
  await postgresImage();
}
