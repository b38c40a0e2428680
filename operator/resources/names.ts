/** Jobs that an upgrade runs by the new image. */
export type UpgradeJobKind = 'preflight' | 'migrate' | 'verify' | 'contract';

const UPGRADE_JOB = /-(preflight|backup|migrate|verify|contract)-[0-9a-f]{12}$/;

/** Whether a Job of ours belongs to an upgrade. */
export function isUpgradeJob(jobName: string): boolean {
  return UPGRADE_JOB.test(jobName);
}

/** Names of the children of the resource `name`. Each is at most 63 characters because `name` has at most 40. */
export function childNames(name: string) {
  return {
    deployment: name,
    service: name,
    serviceAccount: name,
    podDisruptionBudget: name,
    networkPolicy: name,
    autoscaler: name,
    serviceMonitor: name,
    ingress: name,
    httpRoute: name,
    wellKnownRoute: `${name}-well-known`,
    elementWeb: `${name}-element-web`,
    elementWebTlsSecret: `${name}-element-web-tls`,
    /** Certificate of the public hosts, unless the spec names another. */
    tlsSecret: `${name}-tls`,
    /** Everything of a managed TURN server. */
    turn: `${name}-turn`,
    mediaClaim: `${name}-media`,
    databaseSecret: `${name}-db`,
    appSecret: `${name}-app`,
    keyringSecret: `${name}-keyring`,
    /** Private half of the key `key`. */
    keySecret: (key: string) => `${name}-key-${key}`,
    /** `hash` is of the rendered configuration. */
    config: (hash: string) => `${name}-config-${hash}`,
    backupCronJob: `${name}-backup`,
    /** `plan` is that of the upgrade before which the backup is made. */
    backupJob: (plan: string) => `${name}-backup-${plan}`,
    restoreJob: `${name}-restore`,
    drillCronJob: `${name}-drill`,
    /** `plan` is the id of an upgrade plan. */
    upgradeJob: (job: UpgradeJobKind, plan: string) => `${name}-${job}-${plan}`,
  };
}

export type ChildNames = ReturnType<typeof childNames>;
