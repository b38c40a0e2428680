import { parentPort } from 'node:worker_threads';
import { runResolution, type ResolutionTask, type StateEntryPair } from './resolution-task.ts';

/** What a worker answers to a task. */
export type ResolutionAnswer = { ok: true; entries: readonly StateEntryPair[] } | { ok: false; because: string };

// The other side is our own pool: what arrives is a task.
parentPort?.on('message', (task: ResolutionTask) => {
  parentPort?.postMessage(answer(task));
});

function answer(task: ResolutionTask): ResolutionAnswer {
  try {
    return { ok: true, entries: runResolution(task) };
  } catch (error) {
    return { ok: false, because: error instanceof Error ? error.message : 'an unknown fault' };
  }
}
