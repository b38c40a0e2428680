import * as z from 'zod';
import { runCommand } from './run-command.ts';

const Downloaded = z.object({ Dir: z.string() });

/** Folder with the source of a Go module of one version, taken from the Go module proxy the first time. */
export async function goModuleFolder(module: string): Promise<string> {
  const told = await runCommand('go', ['mod', 'download', '-json', module], {
    env: { GOWORK: 'off', GOFLAGS: '-mod=mod' },
    timeoutMs: 300_000,
  });
  return Downloaded.parse(JSON.parse(told)).Dir;
}
