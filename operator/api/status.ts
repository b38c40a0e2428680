import * as z from 'zod';
import { mapList } from './cel.ts';
import { FederationStatus } from './federation-status.ts';
import { UpgradeStatus } from './upgrade-status.ts';

const text = (what: string, max = 253) => z.string().max(max).optional().describe(what);
const time = (what: string) => z.string().max(40).describe(what).meta({ format: 'date-time' });

/** One condition of the status, in the form that all of Kubernetes uses. */
export const Condition = z
  .object({
    type: z.string().min(1).max(64).describe('What the condition is about.'),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
    reason: z.string().min(1).max(64).describe('One of the reasons in docs/reference/conditions.md.'),
    message: z.string().max(4096).describe('What happened and what to do, for people.'),
    lastTransitionTime: time('When status last changed.'),
    observedGeneration: z.int().min(0).optional().describe('Generation of the spec that this was found for.'),
  })
  .describe('A condition.');

export type Condition = z.infer<typeof Condition>;

const SigningKeyStatus = z
  .object({
    name: z.string().max(16).describe('Name in spec.signingKeys.keys.'),
    keyID: text('Id under which the key is published, such as ed25519:5vq7m2kd4a.', 80),
    publicKey: text('Public half, unpadded base64.', 64),
    state: text('State that the key is in.', 16),
    since: time('When it reached this state.').optional(),
    nextTransitionTime: time(
      'When its state changes by itself, or its private half is destroyed, if that is known.',
    ).optional(),
    expiredTS: z
      .int()
      .min(1)
      .optional()
      .describe('Unix time in ms up to which its signatures count; once it signs no more.'),
    secretName: text('Secret with the private half; absent once that is destroyed.'),
  })
  .describe('A signing key as it is.');

const DatabaseStatus = z
  .object({
    server: text('host:port of the PostgreSQL server.', 300),
    name: text('Name of the database.', 63),
    owner: text('Role that owns the database.', 63),
    loginRole: text('Role that the replicas log in as.', 63),
    passwordVersion: z.int().min(0).optional().describe('passwordVersion that the login in use was made for.'),
    claim: text('Mark that ties the database to this resource; a copy, the truth is in the database.', 64),
    serverVersion: text('Version of PostgreSQL.', 64),
  })
  .describe('The database in use.');

const PENDING = {
  type: 'Ready',
  status: 'Unknown',
  reason: 'Pending',
  message: 'Waiting for the operator',
  lastTransitionTime: '1970-01-01T00:00:00Z',
} as const;

/** `status`. Nothing in it changes by itself: an unchanged resource leads to no write. */
export const Status = z
  .object({
    observedGeneration: z
      .int()
      .default(-1)
      .describe('Generation of the spec that this status speaks of; -1 before the operator has seen the resource.'),
    conditions: z
      .array(Condition)
      .max(32)
      .default([PENDING])
      .describe('Ready, Reconciling, Stalled, Available, Paused and one condition for each part.')
      .meta(mapList('type')),
    replicas: z.int().min(0).optional().describe('Pods that exist.'),
    readyReplicas: z.int().min(0).optional().describe('Pods that serve.'),
    selector: text('Label selector of the pods, for the scale subresource.', 512),
    version: z
      .object({
        current: text('Version that serves.', 64),
        target: text('Version that is being rolled out.', 64),
        available: text('Newest version that the operator knows, if it is newer than current.', 64),
        image: text('Image of the target.', 512),
      })
      .optional()
      .describe('Versions of the homeserver.'),
    schema: z
      .object({
        version: z.int().min(0).optional().describe('Schema level that the database has reached.'),
        compatVersion: z.int().min(0).optional().describe('Lowest schema level that a program may have.'),
      })
      .optional()
      .describe('Schema of the database, as read from it.'),
    upgrade: UpgradeStatus.optional(),
    database: DatabaseStatus.optional(),
    signingKeys: z
      .array(SigningKeyStatus)
      .max(80)
      .optional()
      .describe('The signing keys as they are.')
      .meta(mapList('name')),
    endpoints: z
      .object({
        client: text('URL of the client API: the public one, else the one inside the cluster.', 512),
        federation: text('host:port at which other servers reach this one.', 512),
        wellKnownServer: text('What /.well-known/matrix/server answers.', 512),
        elementWeb: text('URL of Element Web.', 512),
        rtc: text('URL of the service for group calls.', 512),
      })
      .optional()
      .describe('Where the server is reached.'),
    federation: FederationStatus.optional(),
    backup: z
      .object({
        lastSuccessTime: time('When the last good backup was complete in its bucket.').optional(),
        lastFailureTime: time('When a backup last failed.').optional(),
        lastDrillTime: time('When a restore drill last ended well.').optional(),
        latestID: text('Id of the last good backup, for bootstrap.restore.backupID.', 64),
      })
      .optional()
      .describe('Backups, as the database knows of them.'),
    lastAppliedSpecHash: text('Hash of the spec, without paused, that was last worked on.', 64),
    operatorVersion: text('Version of the operator that wrote this.', 64),
  })
  .prefault({ observedGeneration: -1, conditions: [PENDING] })
  .describe('What is; written by the operator.');

export type Status = z.infer<typeof Status>;
