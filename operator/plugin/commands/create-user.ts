import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { CREATE_USER_COMMAND } from '../../resources/program.ts';
import { CLUSTER_HELP, CLUSTER_OPTIONS, withCluster } from '../cluster.ts';
import type { PluginCommand } from '../command.ts';
import { json, wantsJson } from '../command.ts';
import { execInPod } from '../exec-in-pod.ts';
import { findHomeserver } from '../find-homeserver.ts';
import { SERVING_CONTAINER, readyReplica } from '../pods.ts';
import type { Terminal } from '../terminal.ts';
import { PluginError, UsageError } from '../terminal.ts';
import { printable } from '../text/paint.ts';

export const createUser: PluginCommand = {
  help: `kubectl matrix create-user NAME USER: make an account on a homeserver, in one of its replicas.

  USER                   the part of the user id between @ and :
  --password-stdin       the password is the first line of standard input; otherwise one is made and shown once
  --admin                open the admin endpoints to it
${CLUSTER_HELP}

The password is on no command line and in no log: it goes over the connection into the program's standard input.
`,
  run: async (args, at) => {
    const options = { ...CLUSTER_OPTIONS, 'password-stdin': { type: 'boolean' }, admin: { type: 'boolean' } } as const;
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
    const asJson = wantsJson(values.output);
    const [name, user, ...more] = positionals;
    if (name === undefined || user === undefined || more.length > 0)
      throw new UsageError('name the resource and the user');
    if (user.startsWith('-')) throw new UsageError(`USER: a name is allowed, not ${user}`);
    const given = values['password-stdin'] === true;
    const password = given ? await readPassword(at) : randomBytes(18).toString('base64url');
    return withCluster(values, at, async (cluster) => {
      await findHomeserver(cluster, name);
      const pod = await readyReplica(cluster, name);
      const command = [...CREATE_USER_COMMAND, ...(values.admin === true ? ['--admin'] : []), '--', user];
      const request = { pod, container: SERVING_CONTAINER, command, input: `${password}\n`, timeoutMs: 60_000 };
      const { code, out, err } = await execInPod(cluster, request);
      if (code !== 0) throw new PluginError(printable(err.trim() || `the program ended with ${code}`));
      const userId = printable(out.trim());
      if (asJson) at.write(json({ userId, ...(given ? {} : { password }) }));
      else at.write(given ? `${userId}\n` : `${userId}\npassword: ${password}\n`);
      return 0;
    });
  },
};

async function readPassword(at: Terminal): Promise<string> {
  const [line = ''] = (await at.readInput()).split(/\r?\n/);
  if (line === '') throw new UsageError('--password-stdin: standard input has no password on its first line');
  return line;
}
