import { chooseProvider } from '../../cluster/choose-provider.ts';
import { kubectl } from '../../cluster/clients.ts';
import type { ClusterHandle } from '../../cluster/cluster.ts';
import { findReadyPods, kill, OPERATOR_PODS, replaced } from '../../e2e/support/pods.ts';
import { installOperator, NAME, NAMESPACE, OPERATOR_NAMESPACE, waitReady } from '../../e2e/support/quickstart.ts';
import { waitFor } from '../../support/wait-for.ts';
import { THIS_VERSION } from '../next/next-version.ts';

const DEPLOYMENT = ['deployment/matrix-operator', '--namespace', OPERATOR_NAMESPACE];

/** Shorter times, none left out. */
const TIMES: Readonly<Record<string, string>> = {
  MATRIX_OPERATOR_MIN_READY_SECONDS: '1',
  MATRIX_OPERATOR_GOOD_SECONDS: '2',
};

/** And one operator without a lease, so that another one works as soon as one was killed. */
const SETTINGS: Readonly<Record<string, string>> = { MATRIX_OPERATOR_LEADER_ELECTION: 'false', ...TIMES };

/** The image of the operator that is installed. */
export async function installedImage(handle: ClusterHandle): Promise<string> {
  const path = 'jsonpath={.spec.template.spec.containers[0].image}';
  return kubectl(handle, ['get', ...DEPLOYMENT, '-o', path]);
}

/** Puts an operator of another version in the place of the installed one. */
export async function installTestOperator(handle: ClusterHandle, image: string): Promise<void> {
  await setVariables(handle, SETTINGS, ([name, value]) => `${name}=${value}`);
  await installOperator(handle, image, ['replicaCount=1']);
}

/**
 * Puts the first operator back. It leaves alone what a newer one has worked on until the mark of that one is taken away, as
 * its condition says.
 */
export async function restoreOperator(handle: ClusterHandle, image: string): Promise<void> {
  await setVariables(handle, SETTINGS, ([name]) => `${name}-`);
  await installOperator(handle, image);
  const resource = ['matrixhomeserver', NAME, '--namespace', NAMESPACE];
  const unmark = ['patch', ...resource, '--subresource=status', '--type=merge'];
  const mark = ['get', ...resource, '-o', 'jsonpath={.status.operatorVersion}'];
  // The newer one may write once more while it ends.
  await waitFor(
    async () => {
      if ((await kubectl(handle, mark)) === THIS_VERSION) return true;
      await kubectl(handle, [...unmark, '--patch', JSON.stringify({ status: { operatorVersion: null } })]);
      return false;
    },
    { what: 'the first operator to take over', timeoutMs: 60_000, everyMs: 1000 },
  );
  await waitReady(handle, 120_000, () => undefined);
}

/** Has the installed operator wait less between the turns of an upgrade, also after the next change of its chart. */
export function quickly(handle: ClusterHandle): Promise<void> {
  return setVariables(handle, TIMES, ([name, value]) => `${name}=${value}`);
}

async function setVariables(
  handle: ClusterHandle,
  variables: Readonly<Record<string, string>>,
  word: (entry: [string, string]) => string,
): Promise<void> {
  await kubectl(handle, ['set', 'env', ...DEPLOYMENT, ...Object.entries(variables).map(word)]);
}

/** The one operator, to be killed at any moment. */
export class Victim {
  readonly #handle: ClusterHandle;
  #pod: { name: string; containerId: string } | undefined;

  constructor(handle: ClusterHandle) {
    this.#handle = handle;
  }

  /** Waits until exactly one operator is there. */
  async find(): Promise<void> {
    this.#pod = await waitFor(
      async () => {
        const pods = await findReadyPods(this.#handle, OPERATOR_NAMESPACE, OPERATOR_PODS);
        return pods.length === 1 && pods[0]?.containerId !== '' ? pods[0] : undefined;
      },
      { what: 'one operator', timeoutMs: 60_000, everyMs: 100 },
    );
  }

  /** SIGKILL; its pod goes too, since a container that dies again and again is started later each time. */
  async kill(): Promise<void> {
    if (this.#pod === undefined) throw new Error('no operator was found yet');
    const { name, containerId } = this.#pod;
    const { provider, contextName: context, instance } = this.#handle;
    const node = await chooseProvider({ provider, context, instance });
    await node.ctr(['tasks', 'kill', '--signal', 'SIGKILL', containerId]);
    await kill(this.#handle, OPERATOR_NAMESPACE, name);
    await replaced(this.#handle, OPERATOR_NAMESPACE, OPERATOR_PODS, [name]);
    await this.find();
  }
}
