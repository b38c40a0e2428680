import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** The longest first; what is not here takes less than half a minute. */
const LONG = [
  'upgrade-killed',
  'key-rotation',
  'upgrades',
  'deletion',
  'documents',
  'database-drop',
  'database-faults',
  'database-provision',
  'faults-api',
  'backup-before-upgrade',
  'restore-killed',
  'conditions',
  'signing-keys',
].map((name) => `/test/operator/${name}.test.ts`);

/**
 * Begins with the files that take long, also where no earlier run has left its times, so that no worker is left alone with one
 * of them at the end.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files);
    const projects = [...new Set(usual.map(({ project }) => project.name))];
    return projects.flatMap((name) => longestFirst(usual.filter(({ project }) => project.name === name)));
  }
}

function longestFirst(files: readonly TestSpecification[]): TestSpecification[] {
  const rank = ({ moduleId }: TestSpecification) => LONG.findIndex((end) => moduleId.endsWith(end));
  const long = files.filter((file) => rank(file) >= 0).sort((a, b) => rank(a) - rank(b));
  return [...long, ...files.filter((file) => rank(file) < 0)];
}
