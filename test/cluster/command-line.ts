import { parseArgs } from 'node:util';
import { DEFAULT_INSTANCE } from './choose-provider.ts';
import { providerNames } from './cluster.ts';

/** A wrong command line: the text says what is wrong. */
export class UsageError extends Error {}

const verbs = {
  demo: 'start a cluster, install everything into it and say how to use it (npm start)',
  up: 'start a cluster, or repair one that runs, and print its kubeconfig',
  status: 'print the running cluster and how to use kubectl and helm with it',
  down: 'remove the cluster and all that belongs to it (npm stop)',
  image: 'build the image of operator and homeserver and print its archive and its name (npm run image)',
  'postgres-image': 'build the image of PostgreSQL for the demo and print its archive and its name',
  'api-server': 'run a Kubernetes API server alone, without nodes or controllers, until Ctrl+C',
} as const;
export type Verb = keyof typeof verbs;

export interface CommandLine {
  verb: Verb;
  instance: string;
  provider: string | undefined;
  context: string | undefined;
  base: string | undefined;
  /** Images that the cluster's nodes can pull, in place of those built here. */
  image: string | undefined;
  postgresImage: string | undefined;
}

export const HELP = `node test/cluster/main.ts VERB [OPTIONS]

${Object.entries(verbs)
  .map(([name, text]) => `  ${name.padEnd(15)} ${text}`)
  .join('\n')}

  --provider NAME   ${providerNames.join(', ')}; by default kind if Docker answers, else local (root on Linux)
  --context NAME    use this context of your own kubeconfig; the cluster is neither made nor removed
  --instance NAME   name of the cluster, several can run side by side (default ${DEFAULT_INSTANCE})
  --image IMAGE     demo: install this image, which the nodes can pull, instead of building and loading one
  --postgres-image IMAGE
                    demo: use this PostgreSQL in place of the one that the quickstart names
  --base IMAGE      image: build on this image with Node 24 instead of the default
  --help            this text

Variables: KUBECONFIG, MATRIX_OPERATOR_CONTEXT (like --context), KUBEBUILDER_ASSETS (programs for api-server),
XDG_CACHE_HOME (built programs and images, about 1.5 GB), XDG_STATE_HOME (running clusters).
`;

/** Reads the command line; undefined means that help is wanted. Throws UsageError. */
export function parseCommandLine(args: readonly string[]): CommandLine | undefined {
  const { values, positionals } = parse(args);
  if (values.help === true) return undefined;
  const [word, ...rest] = positionals;
  if (word === undefined || rest.length > 0) throw new UsageError('name one verb');
  if (!isVerb(word)) throw new UsageError(`unknown verb: ${word}`);
  const { instance = DEFAULT_INSTANCE, provider, context, base, image, 'postgres-image': postgresImage } = values;
  return { verb: word, instance, provider, context, base, image, postgresImage };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const images = { base: text, image: text, 'postgres-image': text };
  const options = { instance: text, provider: text, context: text, ...images, help: { type: 'boolean' } } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function isVerb(word: string): word is Verb {
  return Object.hasOwn(verbs, word);
}
