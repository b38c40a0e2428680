import { join } from 'node:path';
import * as z from 'zod';
import { goProgram } from '../../cluster/go-program.ts';
import { runCommand } from '../../cluster/run-command.ts';

const SOURCE = {
  name: 'gitops-health',
  source: join(import.meta.dirname, 'health.go'),
  modules: {
    'github.com/fluxcd/cli-utils': 'v0.37.1-flux.1',
    'github.com/fluxcd/pkg/apis/kustomize': 'v1.15.0',
    'github.com/fluxcd/pkg/runtime': 'v0.100.0',
    // The interpreter, and the way to hand an object to it, that Argo CD has.
    'github.com/yuin/gopher-lua': 'v1.1.1',
    'layeh.com/gopher-json': 'v0.0.0-20201124131017-552bb3c4c3bf',
  },
};

const Verdicts = z.record(z.string(), z.object({ argo: z.string(), flux: z.string(), kstatus: z.string() }));

export interface HealthQuestion {
  /** Argo CD's health script. */
  readonly lua: string;
  /** Flux' health expressions. */
  readonly cel: Readonly<Record<string, string>>;
  readonly objects: Readonly<Record<string, unknown>>;
}

/** The program that knows what Argo CD, Flux and kstatus say of an object; built the first time. */
export const healthProgram = () => goProgram(SOURCE);

/** What each of the three says of each object. */
export async function healthOf(question: HealthQuestion): Promise<z.infer<typeof Verdicts>> {
  const answer = await runCommand(await healthProgram(), [], { input: JSON.stringify(question), timeoutMs: 30_000 });
  return Verdicts.parse(JSON.parse(answer));
}
