import * as z from 'zod';
import { SERVER_NAME_PATTERN, ServerNameField } from '../../homeserver/contract/server-name.ts';
import { AutoscalingSpec } from './autoscaling-spec.ts';
import { BackupSpec, BootstrapSpec } from './backup-spec.ts';
import { immutable, rules } from './cel.ts';
import { DatabaseSpec } from './database-spec.ts';
import { ExposureSpec } from './exposure-spec.ts';
import { FederationSpec } from './federation-spec.ts';
import { SecretRef, objectName, openObject } from './fields.ts';
import { IntegrationsSpec } from './integrations-spec.ts';
import { MediaSpec } from './media-spec.ts';
import { MonitoringSpec, NetworkPolicySpec } from './network-spec.ts';
import { PodSpec } from './pod-spec.ts';
import { SigningKeysSpec } from './signing-keys-spec.ts';
import { Status } from './status.ts';
import { UpgradeSpec } from './upgrade-spec.ts';

export const GROUP = 'matrix-operator.dev';
export const API_VERSION = `${GROUP}/v1alpha1`;
export const KIND = 'MatrixHomeserver';
export const PLURAL = 'matrixhomeservers';

const SEMVER = /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$/;

// The rule stands in CEL and not as a pattern: its message says in words what is allowed.
const serverName = z
  .string()
  .min(1)
  .max(230)
  .refine((name) => ServerNameField.safeParse(name).success)
  .describe('Matrix server name; part of every user, room and event id. Cannot be changed.')
  .meta(
    rules(
      {
        rule: `self.matches('${SERVER_NAME_PATTERN.replaceAll('\\', '\\\\')}')`,
        message:
          'serverName must be a lower-case host name such as example.org, an IPv4 address or an [IPv6] address, with an optional :port',
      },
      immutable('serverName'),
    ),
  );

const Image = z
  .object({
    repository: z.string().min(1).max(255).optional().describe('Mirror or private build to take the image from.'),
    digest: z
      .string()
      .max(71)
      .regex(/^sha256:[0-9a-f]{64}$/)
      .optional()
      .describe('Digest of the image, in place of the tag; to be changed together with version.'),
    pullPolicy: z
      .enum(['Always', 'IfNotPresent', 'Never'])
      .default('IfNotPresent')
      .describe('When nodes pull the image.'),
    pullSecretRefs: z
      .array(z.object({ name: objectName('Name of the Secret.') }).describe('A pull secret.'))
      .max(8)
      .optional()
      .describe('Secrets to pull the image with.'),
  })
  .describe('Where the image comes from; its version is in spec.version.');

const Spec = z
  .object({
    serverName,
    version: z
      .string()
      .max(64)
      .regex(SEMVER)
      .optional()
      .describe('Version of the homeserver. Without it: the default of the operator at first install; then it stays.'),
    replicas: z
      .int()
      .min(0)
      .max(100)
      .default(1)
      .describe('Number of equal replicas. 0 stops serving and keeps everything.'),
    autoscaling: AutoscalingSpec.optional(),
    image: Image.optional(),
    database: DatabaseSpec,
    signingKeys: SigningKeysSpec,
    secretsRef: SecretRef(
      'Secret with the keys registration-secret, token-key and form-key, in place of the one that the operator makes.',
    ).optional(),
    media: MediaSpec.optional(),
    exposure: ExposureSpec.optional(),
    federation: FederationSpec,
    config: openObject(
      'Settings of the homeserver, laid over what the operator generates; see docs/reference/configuration.md. ' +
        'serverName, listeners, database, keyringFile, appDirectory and media are refused.',
    ).optional(),
    configSecretRefs: z
      .array(SecretRef('A Secret.'))
      .max(16)
      .optional()
      .describe(
        'Secrets that config points at: the values of the Secret NAME are files in /etc/homeserver/extra/NAME/.',
      ),
    pod: PodSpec.optional(),
    networkPolicy: NetworkPolicySpec,
    monitoring: MonitoringSpec,
    integrations: IntegrationsSpec.optional(),
    backup: BackupSpec.optional(),
    bootstrap: BootstrapSpec.optional(),
    upgrade: UpgradeSpec,
    deletion: z
      .object({
        policy: z
          .enum(['Retain', 'Delete'])
          .default('Retain')
          .describe(
            'Retain keeps database, keys, secrets and media; the same resource, applied again, takes them back. Delete ' +
              'drops and deletes them for good, but for files in a bucket.',
          ),
        confirm: z
          .string()
          .max(230)
          .optional()
          .describe('For Delete: the serverName once more, so that nobody deletes a server by a slip.'),
      })
      .optional()
      .describe('What happens when the resource is deleted.'),
    paused: z.boolean().default(false).describe('Touch nothing, keep reporting.'),
  })
  .describe('What is wanted.')
  .meta(
    rules(
      {
        rule: 'has(self.bootstrap) == has(oldSelf.bootstrap)',
        message: 'bootstrap can be given only when the resource is created, and stays',
      },
      {
        rule:
          '!has(self.exposure) || has(self.exposure.host) || !(has(self.exposure.ingress) || has(self.exposure.gateway)) || ' +
          "self.serverName.matches('^[a-z0-9.-]*[a-z][a-z0-9.-]*$')",
        message: 'exposure.host is needed when serverName has a port or is an address',
      },
      {
        rule: "!has(self.deletion) || self.deletion.policy != 'Delete' || (has(self.deletion.confirm) && self.deletion.confirm == self.serverName)",
        message: 'deletion.policy Delete needs deletion.confirm equal to serverName',
      },
      {
        rule:
          '!has(self.media) || !has(self.media.persistentVolumeClaim) || ' +
          "self.media.persistentVolumeClaim.accessMode == 'ReadWriteMany' || " +
          '(self.replicas <= 1 && !has(self.autoscaling))',
        message: 'more than one replica needs media.s3, or media.persistentVolumeClaim.accessMode ReadWriteMany',
      },
      {
        rule: '!has(self.backup) || !has(self.backup.drillSchedule) || !has(self.database.existing)',
        message:
          'backup.drillSchedule needs a spare database, which nobody may make with database.existing: run homeserver drill yourself',
      },
      {
        rule: 'has(self.media) || !has(oldSelf.media)',
        message: 'media cannot be removed: files would be left behind',
      },
      {
        rule: "self.upgrade.approval != 'Automatic' || !has(self.version)",
        message:
          'upgrade.approval Automatic follows the newest version: leave spec.version out, or choose another approval',
      },
    ),
  );

const Metadata = z.object({
  name: z.string(),
  namespace: z.string(),
  uid: z.string(),
  generation: z.int().default(0),
  resourceVersion: z.string(),
  creationTimestamp: z.string().default(''),
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).default([]),
});

/** The two parts that the CRD schema is made of. */
export const SCHEMA_PARTS = { spec: Spec, status: Status };

/** A MatrixHomeserver as the API server returns it. */
export const MatrixHomeserver = z.object({ metadata: Metadata, spec: Spec, status: Status });

export type MatrixHomeserver = z.infer<typeof MatrixHomeserver>;
export type Spec = z.infer<typeof Spec>;
