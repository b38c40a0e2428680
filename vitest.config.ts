import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

const project = (name: string, include: string[], more: object = {}) => ({
  test: { name, include, testTimeout: 120_000, hookTimeout: 120_000, ...more },
});

/** Real PostgreSQL, one server for the whole run; see test/support/postgres.ts. */
const postgres = { globalSetup: ['test/support/postgres.ts'], maxWorkers: 2 };

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      project('unit', [
        'homeserver/**/*.test.ts',
        'operator/**/*.test.ts',
        'test/{architecture,bench,cluster,support}/**/*.test.ts',
      ]),
      project('storage', ['test/storage/**/*.test.ts'], postgres),
      project('homeserver', ['test/homeserver/**/*.test.ts'], postgres),
      project('operator', ['test/operator/**/*.test.ts'], {
        ...postgres,
        globalSetup: [
          ...postgres.globalSetup,
          'test/operator/support/programs.ts',
          'test/operator/support/api-servers.ts',
        ],
      }),
      project('harness', ['test/harness/**/*.test.ts'], {
        globalSetup: ['test/harness/support/setup.ts'],
        testTimeout: 600_000,
        hookTimeout: 1_800_000,
        fileParallelism: false,
      }),
      project('e2e', ['test/{e2e,upgrade}/**/*.test.ts'], {
        globalSetup: ['test/e2e/support/setup.ts'],
        testTimeout: 600_000,
        hookTimeout: 1_800_000,
        teardownTimeout: 300_000,
        fileParallelism: false,
      }),
    ],
  },
});
