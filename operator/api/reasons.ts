/**
 * Every reason that a condition of a MatrixHomeserver may carry. The class says who has to act; messages may change,
 * reasons may not. `docs/reference/conditions.md` is generated from this list.
 */
export type ReasonClass = 'progress' | 'transient' | 'user' | 'spec' | 'stop' | 'report' | 'good';

interface ReasonEntry {
  class: ReasonClass;
  meaning: string;
  wayOut: string;
}

const entry = (reasonClass: ReasonClass, meaning: string, wayOut: string): ReasonEntry => ({
  class: reasonClass,
  meaning,
  wayOut,
});

const retried = 'Nothing: it is tried again by itself.';
const wait = 'Wait.';

export const REASONS = {
  Pending: entry(
    'progress',
    'The operator has not looked at this yet.',
    `${wait} If it stays, the operator does not run.`,
  ),
  Provisioning: entry('progress', 'Database, secrets or keys are being made.', wait),
  Migrating: entry('progress', 'The migration Job is bringing the database schema up to date.', wait),
  Rolling: entry('progress', 'Replicas are being started, replaced or stopped.', wait),
  Deleting: entry('progress', 'The resource is being deleted together with its database.', wait),
  KeyPublishing: entry(
    'progress',
    'A signing key is on its way: it is published before it signs, or its last signatures are still young.',
    'Wait; status.signingKeys says until when. If Stalled, a replica does not take the keyring: see its log.',
  ),
  AwaitingApproval: entry(
    'progress',
    'A plan for another version waits for a person.',
    'Put the id in status.upgrade.plan.id into spec.upgrade.approvedPlan.',
  ),
  Verifying: entry('progress', 'Replicas run; the operator is checking that they serve this generation.', wait),

  RoutePending: entry(
    'progress',
    'The controller of the Ingress or of the Gateway has not taken the route yet.',
    'Wait. If it stays, check that the class or the Gateway exists and that its controller reports addresses.',
  ),
  AddressPending: entry(
    'progress',
    'The load balancer of a Service has no IP address yet.',
    'Wait. If it stays, the cluster makes no load balancers, or makes them with a host name only: see the message.',
  ),

  Restoring: entry('progress', 'A Job is filling the new database from a backup.', wait),
  NeverRun: entry(
    'progress',
    'No scheduled backup has ended yet.',
    'Wait for the schedule, or start one from the CronJob.',
  ),

  ApiUnavailable: entry('transient', 'The Kubernetes API server did not answer or refused for now.', retried),
  DatabaseUnreachable: entry(
    'transient',
    'No connection to the PostgreSQL server.',
    'Check host, port, TLS mode and that the server runs; the operator tries again by itself.',
  ),
  LockHeld: entry('transient', 'Another process holds the lock on this database.', retried),
  ProbeFailed: entry('transient', 'The Service does not answer as it should.', 'Look at the logs of the pods.'),
  InternalError: entry('transient', 'A defect of the operator.', 'Report it with the log of the operator.'),

  SecretMissing: entry('user', 'A Secret that the resource names, or a key in it, is not there.', 'Create it.'),
  NamespaceNotGranted: entry(
    'user',
    'The operator may not write in this namespace.',
    'Bind the ClusterRole matrix-operator-tenant in this namespace, as the message shows.',
  ),
  LoginRefused: entry(
    'user',
    'PostgreSQL refused the user name or the password.',
    'Correct the Secret; a label matrix-operator.dev/watch=true on it makes the operator look at once.',
  ),
  InsufficientPrivilege: entry(
    'user',
    'The database login may not do what is needed.',
    'Give the administrator login CREATEROLE and CREATEDB.',
  ),
  ServerNotAllowed: entry(
    'user',
    'This namespace is not offered the database server that database.serverRef names.',
    'Ask the platform team to add the namespace to the server entry; see docs/databases.md.',
  ),
  TLSInvalid: entry(
    'user',
    'The TLS connection to PostgreSQL failed its checks.',
    'Name the right authority in database.tls.caSecretRef or choose another database.tls.mode.',
  ),
  ServerUnsupported: entry('user', 'The PostgreSQL server is too old.', 'Use PostgreSQL 14 or newer.'),
  DatabaseConflict: entry(
    'user',
    'The database belongs to somebody else, or holds tables that nobody claimed.',
    'Choose another database.name, or state in database.adoptPolicy that it may be taken.',
  ),
  WrongCollation: entry(
    'user',
    'The database does not have encoding UTF8 and collation C.',
    "Create it again with encoding 'UTF8', lc_collate 'C', lc_ctype 'C' and template template0.",
  ),
  WrongServerName: entry(
    'user',
    'The database belongs to another Matrix server name.',
    'Name the database of this server, or another one.',
  ),
  DatabaseLost: entry(
    'user',
    'The database was there and is gone.',
    'Restore it. An empty one is never made in its place.',
  ),
  KeyLost: entry(
    'user',
    'A signing key that was published is nowhere to be found.',
    'Restore the Secret of the key, or set its state to Retired (Revoked if it may be in other hands) and another key to Active. A new key is never made in its place.',
  ),
  KeyMismatch: entry(
    'user',
    'The private half of a signing key does not fit the public half that was published.',
    'Restore the right Secret of the key.',
  ),
  KeyIDConflict: entry('user', 'Two different signing keys carry one key id.', 'Restore the right Secret of the key.'),
  KeyReuse: entry('user', 'Another server uses this signing key or this database.', 'Give each server its own.'),
  KeyUnknown: entry(
    'user',
    'A key shall be Retired or Revoked that this server never had.',
    'Correct signingKeys.keys; for a key of an earlier server give publicKey, keyID and expiredTS.',
  ),
  WeakKey: entry(
    'user',
    'A signing key that was brought is not random, or is not an ed25519 signing key.',
    'Bring another key, or let the operator make one.',
  ),
  ClockSkew: entry(
    'user',
    'The clock of a replica is more than 30 s from that of the database, so the end of an old key cannot be told.',
    'Set the clock of the node that the message names.',
  ),
  ServerNameInUse: entry(
    'user',
    'The server name already answers other servers with signing keys that are not ours.',
    'Stop the other server and list its keys as Retired, or bring its key by secretRef.',
  ),
  ServerNameConflict: entry(
    'user',
    'An older resource has the same serverName.',
    'Delete one of the two, or change the name of the server that has no users yet.',
  ),

  RouteRefused: entry('user', 'A Gateway does not serve the HTTPRoute.', 'See the message; let the listener allow it.'),
  KindNotServed: entry(
    'user',
    'The spec wants an object of a kind that this cluster does not have.',
    'Install the definitions of that kind, or take what wants it out of the spec.',
  ),
  ConfigInvalid: entry('spec', 'spec.config does not fit the schema of the homeserver.', 'Correct spec.config.'),
  VolumeMissing: entry('user', 'A claim that the resource names is not there.', 'Create it.'),
  ObjectConflict: entry(
    'user',
    'An object with the name of one of our children belongs to somebody else.',
    'Delete or rename that object, or give the resource another name.',
  ),
  ObjectInvalid: entry('spec', 'The API server refuses an object that the spec leads to.', 'Correct the spec.'),
  PodTemplateInvalid: entry('spec', 'The API server refuses what spec.pod leads to.', 'Correct spec.pod.'),
  VersionUnknown: entry('spec', 'This operator does not know the version.', 'Choose one that the message names.'),
  RollbackUnsafe: entry(
    'spec',
    'The database is too new for the version.',
    'Choose a version that can read this database.',
  ),

  UpgradePathUnsupported: entry(
    'spec',
    'No single step leads from the version that runs to the wanted one.',
    'Go through the version that the message names.',
  ),
  OperatorTooOld: entry(
    'spec',
    'The version, or the status of the resource, needs a newer operator: nothing is touched.',
    'Upgrade the operator.',
  ),

  MigrationFailed: entry('stop', 'The migration Job failed; old replicas keep serving.', 'See the log of the Job.'),
  VerifyFailed: entry(
    'stop',
    'The new version serves, but did not find the database whole; nothing that older versions need is removed.',
    'See the log of the Job; go back by spec.version, or correct the cause and delete the Job.',
  ),
  RestoreFailed: entry(
    'stop',
    'The database could not be filled from the backup; nothing serves it.',
    'See the log of the Job; correct the cause, then delete the Job.',
  ),
  BackupFailed: entry(
    'stop',
    'The last backup failed, or the one that an upgrade waits for, which then does not begin.',
    'See the log of its Job. The next one is made as scheduled; for an upgrade delete the Job that the message names.',
  ),
  BackupStale: entry(
    'stop',
    'The last good backup is older than two periods of the schedule.',
    'Look at the CronJob and its Jobs.',
  ),
  DrillFailed: entry(
    'stop',
    'The newest backup could not be restored and served from in the last drill, or no drill has ended for two periods.',
    'See the log of the Job that the message names, before the backup is needed; docs/backup.md says what a drill does.',
  ),
  RolloutFailed: entry('stop', 'New replicas do not become ready; old ones keep serving.', 'See the logs of the pods.'),

  BucketUnusable: entry(
    'report',
    'The bucket of spec.media does not answer or refuses: no file can be kept. All else is served.',
    'See the field that the message names and the store itself; the replicas try again every 30 s.',
  ),
  ForeignKeys: entry(
    'report',
    'Other servers see a signing key under this server name that is not ours.',
    'Stop the other server that answers for this name, or correct DNS and /.well-known/matrix/server.',
  ),
  KeyNotVisible: entry(
    'report',
    'What other servers see under this server name lacks the active signing key, or is not valid.',
    'If it stays, see what stands between other servers and the Service; status.federation.error says what is wrong.',
  ),
  WellKnownMismatch: entry(
    'report',
    '/.well-known/matrix/server of the server name leads other servers to a server that is not this one.',
    'Correct the document; status.federation.delegatedTo says where it leads.',
  ),
  PrivateAddress: entry(
    'report',
    'The server name leads to an address that is not public, so the operator does not look.',
    'None needed for a private federation; the chart value probe.allowCIDRs allows looking, federation.selfCheck Notary asks others.',
  ),
  Unreachable: entry(
    'report',
    'Nobody answers other servers under this server name as a Matrix server does.',
    'Check DNS, certificate and routing; where the cluster cannot reach its own public address use federation.selfCheck Notary.',
  ),
  NotChecked: entry(
    'report',
    'Nobody looks at this server from outside.',
    'Set federation.selfCheck to Direct or Notary.',
  ),

  WindowOpen: entry('good', 'An older version could still serve on this database.', 'None needed.'),
  Contracted: entry(
    'good',
    'What older versions need has been removed from the database.',
    'To go back, restore a backup into another database.',
  ),
  NoOlderVersion: entry('good', 'There is no older version to go back to.', 'None needed.'),
  NewerInCatalogue: entry('good', 'The operator knows a newer version.', 'Set spec.version when it suits.'),

  Serving: entry('good', 'The wanted number of replicas serves this generation.', 'None needed.'),
  ScaledToZero: entry('good', 'replicas is 0: nothing is served, everything is kept.', 'Raise replicas.'),
  Paused: entry('good', 'paused is true: the operator touches nothing and keeps reporting.', 'Set paused to false.'),
  NotPaused: entry('good', 'The operator works on this resource.', 'None needed.'),
  NoReplica: entry('progress', 'No replica is ready.', 'See the conditions beside it.'),
  Settled: entry('good', 'Nothing is left to do for this generation.', 'None needed.'),
  KeysMatch: entry('good', 'Other servers see the signing keys of this server.', 'None needed.'),
  OK: entry('good', 'This part matches the spec.', 'None needed.'),
} as const satisfies Record<string, ReasonEntry>;

export type Reason = keyof typeof REASONS;

/** Whether a text is one of our reasons; status is read back from the cluster as text. */
export function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text);
}
