import { runPlugin } from '../../operator/plugin/run.ts';

export interface PluginRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface PluginOptions {
  readonly kubeconfig: string;
  readonly colours?: boolean;
  /** Standard input. */
  readonly input?: string;
  /** Ctrl+C. */
  readonly interrupted?: AbortSignal;
  /** Called with all of standard output so far. */
  readonly onOutput?: (text: string) => void;
}

/** Runs one command line of the plugin in this process. */
export async function kubectlMatrix(args: readonly string[], options: PluginOptions): Promise<PluginRun> {
  let [out, err] = ['', ''];
  const code = await runPlugin(args, {
    write: (text) => {
      out += text;
      options.onOutput?.(out);
    },
    tell: (line) => (err += `${line}\n`),
    colours: options.colours ?? false,
    readInput: () => Promise.resolve(options.input ?? ''),
    kubeconfig: options.kubeconfig,
    now: Date.now,
    interrupted: options.interrupted ?? new AbortController().signal,
  });
  return { code, out, err };
}
