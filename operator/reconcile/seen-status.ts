import { buildSeenStatus } from './build-status.ts';
import type { StepContext } from './step.ts';
import { writeStatus } from './write-status.ts';

/** Work that ends sooner tells its result at once: one write less of each run, and less to watch for everybody. In ms. */
const TOLD_AFTER_MS = 5000;

/**
 * Does the work for a new generation. Once it has taken a while, the status says that the generation was seen. Gives back the
 * context with the resource as it was written last. Errors: as `work` and `writeStatus`.
 */
export async function tellingSeen<T>(
  ctx: StepContext,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly told: StepContext }> {
  const { metadata, status } = ctx.homeserver;
  if (metadata.generation === status.observedGeneration) return { result: await work(), told: ctx };
  let written: Promise<StepContext> | undefined;
  const timer = setTimeout(() => {
    written = tellSeen(ctx);
    // What fails is told below, when the work has ended.
    written.catch(() => undefined);
  }, TOLD_AFTER_MS);
  try {
    const result = await work();
    clearTimeout(timer);
    return { result, told: (await written) ?? ctx };
  } finally {
    clearTimeout(timer);
  }
}

async function tellSeen(ctx: StepContext): Promise<StepContext> {
  const { homeserver } = ctx;
  const status = buildSeenStatus(ctx);
  const resourceVersion = await writeStatus(ctx, status, homeserver.metadata.resourceVersion);
  return { ...ctx, homeserver: { ...homeserver, status, metadata: { ...homeserver.metadata, resourceVersion } } };
}
