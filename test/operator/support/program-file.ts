import { join } from 'node:path';
import { inject } from 'vitest';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder with each of our programs as one file. */
    programs: string;
  }
}

/** What tests start as processes of their own; `mortal-operator` is the operator that dies at its writes to a database. */
type Program = 'homeserver' | 'operator' | 'mortal-operator';

export const programFile = (program: Program): string => join(inject('programs'), `${program}.mjs`);
