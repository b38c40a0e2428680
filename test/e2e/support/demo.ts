import { clientFolders, kubectl, portForward } from '../../cluster/clients.ts';
import type { ClusterHandle } from '../../cluster/cluster.ts';
import { chooseProvider, DEFAULT_INSTANCE } from '../../cluster/choose-provider.ts';
import { say, step } from '../../cluster/progress.ts';
import { converse, partWays } from './conversation.ts';
import {
  applyHomeserver,
  applyPostgres,
  exposeOutside,
  installOperator,
  loadImages,
  NAME,
  NAMESPACE,
  OPERATOR_NAMESPACE,
  waitReady,
} from './quickstart.ts';

export interface DemoOptions {
  provider?: string | undefined;
  context?: string | undefined;
  instance: string;
  /** Image that the nodes can pull; without it one is built and loaded. */
  image?: string | undefined;
  postgresImage?: string | undefined;
}

const READY_TIMEOUT_MS = 240_000;

/**
 * From nothing to two Matrix clients that talk through a homeserver in a real cluster. Everything stays as it is;
 * running it again reuses what is there.
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const provider = await chooseProvider(options);
  const up = step(`bring up the cluster (${provider.name})`, () => provider.up());
  const images = loadImages(provider, up, options);
  const operator = Promise.all([up, images.image]).then(([handle, image]) =>
    step('install the operator (Helm chart charts/matrix-operator)', () => installOperator(handle, image)),
  );
  const postgres = Promise.all([up, images.postgres]).then(([handle, image]) =>
    step('apply the PostgreSQL of examples/quickstart', () => applyPostgres(handle, image)),
  );
  const [handle] = await Promise.all([up, operator, postgres]);
  await step('apply the homeserver of examples/quickstart', () => applyHomeserver(handle));
  await step('wait for the homeserver', () => waitReady(handle, READY_TIMEOUT_MS));
  const { url, stop } = await clientUrl(handle);
  try {
    const talk = await step('two matrix-js-sdk clients talk', () => converse(url, 5));
    partWays(talk.people);
    await report(handle, url, talk.people[0]);
  } finally {
    await stop();
  }
}

/** A lasting URL where nodes are reachable from here, one through the API server for the time of the demo elsewhere. */
async function clientUrl(handle: ClusterHandle): Promise<{ url: string; stop: () => Promise<void> }> {
  if (handle.provider === 'local') return { url: await exposeOutside(handle), stop: async () => undefined };
  const forward = await portForward(handle, NAMESPACE, `service/${NAME}`, 8008);
  return { url: forward.baseUrl, stop: forward.stop };
}

async function report(handle: ClusterHandle, url: string, person: { userId: string; password: string } | undefined) {
  const table = await kubectl(handle, ['get', 'matrixhomeservers', '--all-namespaces']);
  const lines = [
    '',
    table.trimEnd(),
    '',
    `KUBECONFIG=${handle.kubeconfigPath}`,
    `CONTEXT=${handle.contextName}`,
    `URL=${url}`,
    `USER=${person?.userId ?? ''}`,
    `PASSWORD=${person?.password ?? ''}`,
    '',
    `kubectl and helm: ${clientFolders().join(':')}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  if (handle.provider !== 'local') {
    say(`The URL ended with this program. To have it again:`);
    say(`  kubectl --context ${handle.contextName} -n ${NAMESPACE} port-forward service/${NAME} 8008`);
  }
  say(`Everything is left running. To stop and remove it: ${howToStop(handle)}`);
}

function howToStop({ provider, instance, contextName }: ClusterHandle): string {
  if (provider !== 'existing') return instance === DEFAULT_INSTANCE ? 'npm stop' : `npm stop -- --instance ${instance}`;
  const helm = `helm --kube-context ${contextName} uninstall matrix-operator --namespace ${OPERATOR_NAMESPACE}`;
  return `kubectl --context ${contextName} delete namespace ${NAMESPACE}; ${helm}`;
}
