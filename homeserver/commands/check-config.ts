import { parseArgs } from 'node:util';
import { defaultConfigFile, loadConfig } from '../config/load.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import { checkPlaces } from './check-places.ts';
import { say } from './command.ts';
import type { Command } from './command.ts';

/** Reads the configuration as `serve` would and looks at the directory that it names for files. */
export const checkConfig: Command = {
  help: `homeserver check-config: say whether the configuration can be used.

  --config FILE   the configuration [HOMESERVER_CONFIG, else /etc/homeserver/config/homeserver.yaml]
  --help          this text

Ends with 0, or with 10 and a line for each problem: "path: what is wrong, what is allowed".
`,
  run: async (args) => {
    const { values } = parseArgs({ args, options: { config: { type: 'string' } } });
    const file = values.config ?? defaultConfigFile();
    const config = await loadConfig(file);
    await checkPlaces(config, file);
    say(`${file} is valid (server name ${config.serverName})`);
    return EXIT_CODES.done;
  },
};
