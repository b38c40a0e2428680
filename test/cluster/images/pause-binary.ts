import { join } from 'node:path';
import { goProgram } from '../go-program.ts';

/** Path of the compiled pause program. */
export function pauseBinary(): Promise<string> {
  return goProgram({ name: 'pause', source: join(import.meta.dirname, 'pause', 'pause.go'), modules: {} });
}
