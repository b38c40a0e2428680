import { parseArgs } from 'node:util';
import { verify as runVerify } from '../backup/verify.ts';
import type { VerifyReport } from '../backup/verify-report.ts';
import { defaultConfigFile, loadConfig } from '../config/load.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import { numberOption } from './backup-store.ts';
import { complain, say } from './command.ts';
import type { Command } from './command.ts';

/** Says whether a database is whole. */
export const verify: Command = {
  help: `homeserver verify: say whether the database is whole; changes nothing, replicas may serve.

  --config FILE               the configuration [HOMESERVER_CONFIG, else /etc/homeserver/config/homeserver.yaml]
  --database NAME             look at this database of the server instead of the configured one
  --sample N                  events whose id is compared with the hash of what is stored [1000]
  --time-limit-seconds N      stop looking after this time [600]
  --partial                   end with 0 also when time ran out, if nothing was wrong in what was looked at
  --json                      the report as one line of JSON
  --help                      this text

Ends with 0 whole, 1 something is wrong or time ran out, 10 configuration invalid, 11 schema unfit, 12 wrong database,
20 database away: try again.
`,
  run: async (args) => {
    const { values } = parseArgs({
      args,
      options: {
        config: { type: 'string' },
        database: { type: 'string' },
        sample: { type: 'string', default: '1000' },
        'time-limit-seconds': { type: 'string', default: '600' },
        partial: { type: 'boolean' },
        json: { type: 'boolean' },
      },
    });
    const sample = numberOption('sample', values.sample, { min: 1, max: 1_000_000 });
    const limit = numberOption('time-limit-seconds', values['time-limit-seconds'], { min: 1, max: 86_400 });
    const { serverName, database } = await loadConfig(values.config ?? defaultConfigFile());
    const named = values.database === undefined ? {} : { name: values.database };
    const connection = { database: { ...database, ...named }, applicationName: 'homeserver-verify' };
    const verified = await runVerify({ connection, serverName, sample, timeLimitMs: limit * 1000 });
    report(verified, values.json === true);
    const isGood = values.partial === true ? hasNoFault(verified) : verified.whole;
    return isGood ? EXIT_CODES.done : EXIT_CODES.failed;
  },
};

/** Where there is too little time for all of a large database, this is what can be said of it. */
function hasNoFault({ checks }: VerifyReport): boolean {
  return checks.every(({ problems }) => problems === 0);
}

function report(verified: VerifyReport, json: boolean): void {
  if (json) {
    say(JSON.stringify(verified));
    return;
  }
  for (const { name, checked, problems, examples, complete } of verified.checks) {
    const looked = checked === null ? '' : `, ${checked} looked at`;
    const line = `${problems === 0 ? 'good' : `${problems} WRONG`}: ${name}${looked}${complete ? '' : ', TIME RAN OUT'}`;
    if (problems === 0 && complete) say(line);
    else complain([line, ...examples.map((example) => `  ${example}`)].join('\n'));
  }
}
