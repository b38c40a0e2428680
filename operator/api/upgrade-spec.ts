import * as z from 'zod';

const APPROVALS = ['OnSpecChange', 'Required', 'Automatic'] as const;

/** `spec.upgrade`. */
export const UpgradeSpec = z
  .object({
    approval: z
      .enum(APPROVALS)
      .default('OnSpecChange')
      .describe(
        'OnSpecChange: a changed spec.version is the approval. Required: every change of a serving version waits for ' +
          'approvedPlan. Automatic: the newest version is taken as soon as the operator knows it.',
      ),
    approvedPlan: z
      .string()
      .max(12)
      .regex(/^[0-9a-f]{12}$/)
      .optional()
      .describe('With approval Required: the id in status.upgrade.plan.id.'),
    contractAfterSeconds: z
      .int()
      .min(0)
      .max(2_592_000)
      .default(86_400)
      .describe('How long after an upgrade a rollback stays possible; then what only older versions need is removed.'),
  })
  .prefault({ approval: 'OnSpecChange', contractAfterSeconds: 86_400 })
  .describe('How another version is reached.');
