import { sendNotice } from '../accounts/server-notices.ts';
import { loadKeyring } from '../config/keyring.ts';
import { SOFTWARE_VERSION } from '../config/software-version.ts';
import type { HomeserverConfig } from '../contract/config-schema.ts';
import { EXIT_CODES } from '../contract/exit-codes.ts';
import type { ExitCode } from '../contract/exit-codes.ts';
import { createLogger } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { createRoomWriter } from '../pipeline/create-room-writer.ts';
import { openStore } from '../storage/store.ts';
import { complain, say } from './command.ts';

/** Type of notices that are no warning of the specification's: those of this command. */
const NOTICE_TYPE = 'dev.matrix-operator.notice';

/** Sends a notice, as one more short-lived replica that serves nobody. Prints the event's id. */
export async function sendServerNotice(config: HomeserverConfig, userId: string, body: string): Promise<ExitCode> {
  if (body.trim() === '') {
    complain('the notice comes from standard input, and there was none');
    return EXIT_CODES.badUsage;
  }
  const { serverName, database, keyringFile: file } = config;
  const log = createLogger({ level: config.logLevel, destination: process.stderr });
  const keyring = await loadKeyring({ file, serverName, log });
  try {
    const store = await openStore({ database, log, softwareVersion: SOFTWARE_VERSION, serverName });
    const writer = createRoomWriter({ store, keyring, config, log, metrics: createMetrics(store.caches) });
    try {
      await store.replica.reportKeyring({ generation: keyring.generation, activeKeyId: keyring.active().keyId });
      const content = { msgtype: 'm.server_notice', server_notice_type: NOTICE_TYPE, body };
      say(await sendNotice({ config, store, writer }, { userId, content }));
    } finally {
      await writer.close();
      await store.close();
    }
  } finally {
    keyring.close();
  }
  return EXIT_CODES.done;
}
