import { bundle } from '../../support/bundle.ts';
import { imageOf } from '../../cluster/images/app-image.ts';
import type { BuiltImage } from '../../cluster/images/build-image.ts';
import { NEXT_MIGRATIONS, NEXT_VERSION, nextVersion } from '../next/next-version.ts';

/** The image of the next version: its homeserver, and an operator that knows both versions. */
export async function nextImage(): Promise<BuiltImage> {
  const plugins = [await nextVersion()];
  const bundled = await bundle({ folder: 'next', plugins, moreMigrations: [NEXT_MIGRATIONS] });
  return imageOf({ bundled, version: NEXT_VERSION });
}
