import * as z from 'zod';
import { rules } from './cel.ts';

/** `spec.autoscaling`. */
export const AutoscalingSpec = z
  .object({
    minReplicas: z.int().min(1).max(100).default(2).describe('Fewest replicas.'),
    maxReplicas: z.int().min(1).max(100).describe('Most replicas.'),
    targetCPUUtilizationPercentage: z
      .int()
      .min(1)
      .max(100)
      .default(70)
      .describe('Share of the requested CPU that the replicas shall use on average, in percent.'),
  })
  .describe(
    'Has the number of replicas set by a HorizontalPodAutoscaler, which writes spec.replicas: leave that out of Git then.',
  )
  .meta(
    rules({
      rule: 'self.minReplicas <= self.maxReplicas',
      message: 'autoscaling.minReplicas may not be more than maxReplicas',
    }),
  );
