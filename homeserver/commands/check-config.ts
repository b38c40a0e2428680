import { parseArgs } from 'node:util';
import { defaultConfigFile, loadConfig } from '../config/load.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import { checkPlaces } from './check-places.ts';
import { complain, say } from './command.ts';
import type { Command } from './command.ts';

/** Reads the configuration as `serve` would and looks at the places that it names. */
export const checkConfig: Command = {
  help: `homeserver check-config: say whether the configuration can be used.

  --config FILE   the configuration [HOMESERVER_CONFIG, else /etc/homeserver/config/homeserver.yaml]
  --file-only     look at nothing that it names: the directory or bucket for files, the secret of TURN
  --help          this text

In a bucket one small object is written, read and deleted. Ends with 0, or with 10 and a line for each problem: "path: what is
wrong, what is allowed", or with 20 when the bucket does not answer: try again.
`,
  run: async (args) => {
    const options = { config: { type: 'string' }, 'file-only': { type: 'boolean' } } as const;
    const { values } = parseArgs({ args, options });
    const file = values.config ?? defaultConfigFile();
    const config = await loadConfig(file);
    const away = values['file-only'] === true ? undefined : await checkPlaces(config, file);
    if (away !== undefined) {
      complain(away);
      return EXIT_CODES.temporary;
    }
    say(`${file} is valid (server name ${config.serverName})`);
    return EXIT_CODES.done;
  },
};
