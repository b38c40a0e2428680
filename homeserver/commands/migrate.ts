import { parseArgs } from 'node:util';
import { defaultConfigFile, loadConfig } from '../config/load.ts';
import { SOFTWARE_VERSION } from '../config/software-version.ts';
import { ExpectedProgram } from '../contract/expected-program.ts';
import { createLogger } from '../log.ts';
import { migrate as runMigration } from '../storage/migrate.ts';
import type { MigrateCommand, MigrateResult } from '../storage/migrate.ts';
import { complain, say, UsageError } from './command.ts';
import type { Command } from './command.ts';

const PHASES: readonly MigrateCommand[] = ['plan', 'expand', 'contract', 'after-restore'];

/** Changes the database's schema; every phase may be killed and run again. */
export const migrate: Command = {
  help: `homeserver migrate PHASE: bring the database to this program's schema.

  plan            say what would be done; changes nothing
  expand          add what this program needs; older programs go on working
  contract        remove what only older programs need; they can serve no more
  after-restore   once after a dump was restored, before anything serves

  --config FILE   the configuration [HOMESERVER_CONFIG, else /etc/homeserver/config/homeserver.yaml]
  --json          the result as one line of JSON
  --expect JSON   version, schemaLevel, compatLevel and migrations that this program must have
  --help          this text

Ends with 0 done, 10 configuration invalid, 11 schema too new or edited, 12 wrong database, 14 not the expected program,
20 busy, away or told to stop: try again.
`,
  run: async (args) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { config: { type: 'string' }, json: { type: 'boolean' }, expect: { type: 'string' } },
    });
    const phase = PHASES.find((known) => known === positionals[0]);
    if (phase === undefined || positionals.length > 1) throw new UsageError(`PHASE is one of ${PHASES.join(', ')}`);
    const expected = values.expect === undefined ? undefined : parseExpected(values.expect);
    const { serverName, database, logLevel } = await loadConfig(values.config ?? defaultConfigFile());
    // Standard output belongs to the result.
    const log = createLogger({ level: logLevel, destination: process.stderr });
    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
    const options = {
      stop: stop.signal,
      database,
      serverName,
      softwareVersion: SOFTWARE_VERSION,
      log,
      ...(expected && { expected }),
    };
    const result = await runMigration(phase, options);
    report(result, values.json === true);
    return result.exitCode;
  },
};

function parseExpected(text: string): ExpectedProgram {
  try {
    return ExpectedProgram.parse(JSON.parse(text));
  } catch {
    throw new UsageError('--expect is JSON with version, schemaLevel, compatLevel and migrations');
  }
}

function report(result: MigrateResult, json: boolean): void {
  if (json) {
    say(JSON.stringify(result));
    return;
  }
  if (result.exitCode === 0) say(result.message);
  else complain(result.message);
  for (const { name, phase } of result.plan?.pending ?? []) say(`  ${phase}  ${name}`);
}
