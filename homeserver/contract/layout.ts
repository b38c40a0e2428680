/** Ports, probe paths and files that the image promises and the operator relies on (contract v1). */
export const PORTS = { http: 8008, metrics: 9090 } as const;

/** Paths that the world may reach on the HTTP port, by prefix; the probes are for the cluster only. */
export const PUBLIC_PATHS = { api: '/_matrix', wellKnown: '/.well-known/matrix' } as const;

export const PROBES = { live: '/healthz', ready: '/readyz' } as const;

/** Longest time, in seconds, that `serve` takes to drain after SIGTERM. */
export const DRAIN_SECONDS = 60;

/** Where the operator mounts things; `homeserver.yaml` names the same paths. */
export const MOUNTS = {
  config: '/etc/homeserver/config',
  configFile: '/etc/homeserver/config/homeserver.yaml',
  database: '/etc/homeserver/db',
  app: '/etc/homeserver/app',
  extra: '/etc/homeserver/extra',
  keyring: '/etc/homeserver/keyring',
  keyringFile: '/etc/homeserver/keyring/keyring.json',
  turn: '/etc/homeserver/turn',
  turnSecretFile: '/etc/homeserver/turn/secret',
  media: '/var/lib/homeserver/media',
  mediaCredentials: '/etc/homeserver/media/s3',
  backupCredentials: '/etc/homeserver/backup/s3',
  backupKey: '/etc/homeserver/backup/encryption',
} as const;

/** Files of the `db/` directory: one value a file, the layout of a mounted Secret. `ca.crt` is optional. */
export const DATABASE_FILES = ['host', 'port', 'dbname', 'username', 'password', 'ca.crt'] as const;

/** Files of the `app/` directory: secrets that the operator generates once. */
export const APP_FILES = ['registration-secret', 'token-key', 'form-key'] as const;

/** File of the `backupKey` directory: the text that backups are encrypted with. */
export const BACKUP_KEY_FILE = 'key';
