import { once } from 'node:events';
import { startApiServer } from './api-server.ts';
import { chooseProvider, removeClusters } from './choose-provider.ts';
import { clientFolders } from './clients.ts';
import type { ClusterHandle } from './cluster.ts';
import { type CommandLine, HELP, parseCommandLine, UsageError } from './command-line.ts';
import { appImage } from './images/app-image.ts';
import type { BuiltImage } from './images/build-image.ts';
import { postgresImage } from './images/postgres-image.ts';
import { say } from './progress.ts';

/** Runs one verb; gives the exit code: 0 fine, 1 failed, 2 wrong command line. */
async function main(): Promise<number> {
  try {
    const commandLine = parseCommandLine(process.argv.slice(2));
    if (commandLine === undefined) process.stdout.write(HELP);
    else return await run(commandLine);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n\n${HELP}`);
      return 2;
    }
    say(`failed: ${explain(error)}`);
    return 1;
  }
}

async function run(commandLine: CommandLine): Promise<number> {
  switch (commandLine.verb) {
    case 'demo':
      await demo(commandLine);
      return 0;
    case 'up':
      print(usage(await (await chooseProvider(commandLine)).up()));
      return 0;
    case 'status':
      return status(commandLine);
    case 'down':
      await removeClusters(commandLine);
      return 0;
    case 'image':
      print(describe(await appImage(commandLine.base)));
      return 0;
    case 'postgres-image':
      print(describe(await postgresImage()));
      return 0;
    case 'api-server':
      await serveApi();
      return 0;
  }
}

async function demo(commandLine: CommandLine): Promise<void> {
  const { runDemo } = await import('../e2e/support/demo.ts');
  await runDemo(commandLine);
}

async function status(commandLine: CommandLine): Promise<number> {
  const handle = await (await chooseProvider(commandLine)).find();
  if (handle !== undefined) print(usage(handle));
  else say(`no cluster ${commandLine.instance} is running: npm start`);
  return handle === undefined ? 1 : 0;
}

async function serveApi(): Promise<void> {
  await using apiServer = await startApiServer();
  print(`export KUBECONFIG=${apiServer.kubeconfigPath}`);
  say(`${apiServer.server} runs until Ctrl+C; logs in ${apiServer.logDir}`);
  const keepAlive = setInterval(() => undefined, 60_000);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  clearInterval(keepAlive);
}

function usage(handle: ClusterHandle): string {
  say(
    `the ${handle.provider} cluster ${handle.instance} is up: node ${handle.nodeAddress}, context ${handle.contextName}`,
  );
  say('to use it in this shell:');
  return `export KUBECONFIG=${handle.kubeconfigPath} PATH="${clientFolders().join(':')}:$PATH"`;
}

function describe({ archive, reference }: BuiltImage): string {
  return `${archive}\n${reference}`;
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\n  because: ${explain(error.cause)}`;
  return `${error.message}${cause}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

// The clients of the demo leave timers behind that would hold the process for minutes.
process.exit(await main());
