import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import type { MatrixHomeserver } from '../../operator/api/matrix-homeserver.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Stage } from './support/stage.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitCondition } from './support/stage.ts';
import { TEST_CATALOGUE } from './support/test-programs.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'upgrade');
const Manifest = z.looseObject({
  spec: z.looseObject({ version: z.string().optional(), upgrade: z.looseObject({}) }),
});

let stage: Stage;
let namespace: string;
beforeAll(async () => {
  stage = await openStage();
  namespace = await stage.namespace();
});
afterAll(() => stage.dispose());

/** Applies a file of the example to a resource whose server and database are the test's; `id` is put in as told. */
async function apply(file: string, id = ''): Promise<void> {
  const text = (await readFile(join(EXAMPLE, file), 'utf8')).replace('000000000000', id);
  const { version, upgrade } = Manifest.parse(parse(text)).spec;
  await applyHomeserver(stage, namespace, { ...(version === undefined ? {} : { version }), upgrade });
}

async function reached(version: string): Promise<MatrixHomeserver> {
  return waitFor(
    async () => {
      const view = await readHomeserver(stage, namespace);
      const { upgrade, observedGeneration } = view.status;
      const isReady = conditionOf(view, 'Ready')?.status === 'True' && observedGeneration === view.metadata.generation;
      return isReady && upgrade?.last?.to === version ? view : undefined;
    },
    { what: `${version} to be reached` },
  );
}

test('examples/upgrade: by itself, by a commit, and by an approved plan, as its README says', async () => {
  const first = await stage.startOperator({ catalogue: TEST_CATALOGUE });
  await apply('1-automatic.yaml');
  await reached('0.1.0');
  await first.stop();
  const homeserverImage = 'localhost/matrix-operator:0.1.1';
  await stage.startOperator({ catalogue: { ...TEST_CATALOGUE, default: '0.1.1' }, homeserverImage });
  await reached('0.1.1');

  await apply('2-on-spec-change.yaml');
  const upgraded = await reached('0.2.0');
  expect(upgraded.status.upgrade).toMatchObject({ phase: 'Soaking', last: { result: 'Upgraded' } });
  expect(conditionOf(upgraded, 'RollbackPossible')?.message).toMatch(/^to 0\.1\.1, 0\.1\.0 until /);

  await apply('3-required.yaml');
  const asked = await waitCondition(stage, namespace, { type: 'Ready', status: 'False', reason: 'AwaitingApproval' });
  const plan = asked.status.upgrade?.plan;
  expect(plan).toMatchObject({ kind: 'Upgrade', from: '0.2.0', to: '0.3.0' });
  await apply('4-approved.yaml', plan?.id);
  await reached('0.3.0');
});
