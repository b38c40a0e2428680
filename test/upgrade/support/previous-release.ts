import { join } from 'node:path';
import { imageOf } from '../../cluster/images/app-image.ts';
import type { BuiltImage } from '../../cluster/images/build-image.ts';
import { step } from '../../cluster/progress.ts';
import { runCommand } from '../../cluster/run-command.ts';
import { PREVIOUS_VERSION, previousTree } from './release-tree.ts';

/** The previous release as its users have it. */
export interface PreviousRelease {
  readonly image: BuiltImage;
  /** Folder of its chart, which holds the CRD. */
  readonly chart: string;
  remove(): Promise<void>;
}

/** Builds the previous release by its own means. */
export async function previousRelease(): Promise<PreviousRelease> {
  const { folder, remove } = await previousTree();
  try {
    const image = await step(`building release ${PREVIOUS_VERSION}`, async () => {
      await runCommand(process.execPath, [join(folder, 'test', 'support', 'bundle.ts')], { cwd: folder });
      const bundled = join(folder, 'dist', 'app');
      return imageOf({ bundled, version: PREVIOUS_VERSION, tree: folder, archive: 'release' });
    });
    return { image, chart: join(folder, 'charts', 'matrix-operator'), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
