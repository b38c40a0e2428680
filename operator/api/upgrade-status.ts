import * as z from 'zod';

const text = (what: string, max = 64) => z.string().max(max).describe(what);

/** What an upgrade goes through, in order; the last two end it until the spec changes. */
export const PHASES = [
  'Planned',
  'AwaitingApproval',
  'Preflight',
  'BackingUp',
  'Expanding',
  'Rolling',
  'Verifying',
  'Soaking',
  'Contracting',
  'Failed',
  'Refused',
] as const;

export type UpgradePhase = (typeof PHASES)[number];

const Phase = z.enum(PHASES);

const PlanStep = z
  .object({
    phase: Phase.describe('What is done.'),
    migrations: z.array(text('Name of a migration.', 100)).max(100).optional().describe('Migrations that run in it.'),
    reversible: z.boolean().describe('Whether the version before can still serve after it.'),
  })
  .describe('One step of the plan.');

/** How a version is reached; the same inputs give the same plan and id. */
export const UpgradePlan = z
  .object({
    id: text('12 hex digits of everything that the plan depends on; put it into spec.upgrade.approvedPlan.', 12),
    kind: z.enum(['Install', 'Upgrade', 'Rollback']).describe('Install has no version before.'),
    from: text('Version that served before.').optional(),
    to: text('Version that will serve.'),
    image: text('Image of that version.', 512),
    steps: z.array(PlanStep).max(16).describe('What is done, in order.'),
    backup: z
      .enum(['NotConfigured', 'Disabled', 'Required'])
      .describe('Whether a backup is taken before anything is changed.'),
    rollbackTo: z
      .array(text('A version.'))
      .max(16)
      .describe('Older versions that can serve on the database until the contract step, newest first.'),
    refusal: z
      .object({ reason: text('One of the reasons in docs/reference/conditions.md.'), message: text('Why.', 2000) })
      .optional()
      .describe('Why nothing is done.'),
  })
  .describe('How the version is reached.');

export type UpgradePlan = z.infer<typeof UpgradePlan>;

/** `status.upgrade`. */
export const UpgradeStatus = z
  .object({
    phase: Phase.optional().describe('Where the plan stands; absent when there is nothing to do.'),
    plan: UpgradePlan.optional(),
    progress: z
      .object({
        phase: Phase.describe('Phase that this is the progress of.'),
        step: text('Migration that is running.', 100).optional(),
        percent: z.int().min(0).max(100).describe('How much of the phase is done.'),
      })
      .optional()
      .describe('How far the migrations are.'),
    contractAt: z
      .string()
      .max(40)
      .meta({ format: 'date-time' })
      .optional()
      .describe('When what only older versions need is removed; until then a rollback is possible.'),
    last: z
      .object({
        to: text('Version that was reached.'),
        result: z.enum(['Installed', 'Upgraded', 'RolledBack']).describe('What it was.'),
        finishedAt: z.string().max(40).meta({ format: 'date-time' }).describe('When it was found to serve well.'),
      })
      .optional()
      .describe('The last plan that was carried out.'),
  })
  .describe('The change of version that is under way.');

export type UpgradeStatus = z.infer<typeof UpgradeStatus>;
