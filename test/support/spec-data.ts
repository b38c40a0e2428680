import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** Folder `data` of a checkout of the Matrix specification, if there is one: $MATRIX_SPEC_DATA, or a sibling of this repository. */
export function specDataFolder(): string | undefined {
  const folder = resolve(ROOT, process.env['MATRIX_SPEC_DATA'] ?? '../shared/matrix-spec/data');
  return existsSync(join(folder, 'api', 'client-server')) ? folder : undefined;
}
