import * as z from 'zod';

/** What /readyz answers with status 200; other members may come. */
export const ReadyAnswer = z.looseObject({
  status: z.literal('ready'),
  /** There where files lie in a bucket: `problem` says why none can be kept now, naming the field of the configuration. */
  media: z.looseObject({ problem: z.string().max(2000).optional() }).optional(),
});

export type ReadyAnswer = z.infer<typeof ReadyAnswer>;
