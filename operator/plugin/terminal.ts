/** Where a command reads and writes; nothing of the plugin touches the process beside it. */
export interface Terminal {
  /** Standard output; the text ends with its own line break. */
  write(text: string): void;
  /** Standard error: what is not the result. */
  tell(line: string): void;
  /** Whether the output goes to a person who wants colours. */
  readonly colours: boolean;
  /** Standard input up to its end. */
  readInput(): Promise<string>;
  /** The kubeconfig that the environment names, as in $KUBECONFIG; undefined: the pod's service account. */
  readonly kubeconfig: string | undefined;
  /** Wall clock, Unix ms. */
  now(): number;
  /** Aborted by Ctrl+C. */
  readonly interrupted: AbortSignal;
}

/** A command line that makes no sense: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What cannot be done, in words for the person who asked: exit code 1. */
export class PluginError extends Error {
  override readonly name = 'PluginError';
}
