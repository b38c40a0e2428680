import * as z from 'zod';
import { MOUNTS, PORTS } from './layout.ts';
import { S3_LOCATION } from './s3-location.ts';
import { ServerNameField } from './server-name.ts';

const port = z.int().min(0).max(65_535);
const host = z.string().min(1).max(255);

const RateLimit = (perSecond: number, burst: number, what: string) =>
  z
    .strictObject({
      perSecond: z
        .number()
        .positive()
        .max(1_000_000)
        .default(perSecond)
        .describe('Sustained rate, requests per second.'),
      burst: z.int().positive().max(1_000_000).default(burst).describe('Requests that may come at once.'),
    })
    .prefault({})
    .describe(what);

const RateLimits = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Off only for tests and benchmarks.'),
    loginPerAddress: RateLimit(0.2, 10, 'Login attempts of one network address.'),
    loginPerAccount: RateLimit(0.1, 5, 'Failed login attempts on one account.'),
    registrationPerAddress: RateLimit(0.1, 5, 'Registrations from one network address.'),
    messagesPerUser: RateLimit(5, 30, 'Events that one user sends.'),
    roomCreationPerUser: RateLimit(0.1, 10, 'Rooms that one user creates.'),
    joinsPerUser: RateLimit(0.5, 20, 'Rooms that one user joins.'),
    invitesPerUser: RateLimit(0.3, 20, 'Invites that one user sends.'),
    requestsPerUser: RateLimit(100, 500, 'All other requests of one user.'),
  })
  .prefault({})
  .describe('Limits on how often a client may ask; answered with M_LIMIT_EXCEEDED and Retry-After.');

const Listeners = z
  .strictObject({
    http: z
      .strictObject({ host: host.default('0.0.0.0'), port: port.default(PORTS.http) })
      .prefault({})
      .describe('Client-server and federation API, plain HTTP behind a proxy that ends TLS.'),
    metrics: z
      .strictObject({ host: host.default('0.0.0.0'), port: port.default(PORTS.metrics) })
      .prefault({})
      .describe('Prometheus metrics, never exposed to the world.'),
  })
  .prefault({});

const Database = z
  .strictObject({
    directory: z
      .string()
      .default(MOUNTS.database)
      .describe(
        'Directory with one value a file: host, port, dbname, username, password and, if TLS needs it, ca.crt.',
      ),
    name: z
      .string()
      .min(1)
      .max(63)
      .optional()
      .describe('Database to use on that server; without it the one that the directory names.'),
    tlsMode: z
      .enum(['Disable', 'Require', 'VerifyCA', 'VerifyFull'])
      .default('VerifyFull')
      .describe(
        'VerifyFull checks authority and host name; VerifyCA the authority; Require only encrypts; Disable does not.',
      ),
    poolSize: z.int().min(4).max(100).default(10).describe('Connections that one replica opens at most.'),
    statementTimeoutMs: z.int().min(1000).max(300_000).default(30_000).describe('Longest run of one statement.'),
  })
  .prefault({});

const Registration = z
  .strictObject({
    mode: z
      .enum(['Closed', 'Token', 'Open'])
      .default('Closed')
      .describe('Who may register: nobody, holders of a registration token, or everybody.'),
    tokensFile: z
      .string()
      .optional()
      .describe('File with one registration token a line, used with mode Token beside the tokens in the database.'),
    sharedSecret: z
      .enum(['Enabled', 'Disabled'])
      .default('Disabled')
      .describe(
        'Enabled lets who has the secret of the file registration-secret make accounts, administrators too, by /_synapse/admin/v1/register.',
      ),
    minPasswordLength: z.int().min(1).max(512).default(8).describe('Shortest password that a new account may have.'),
  })
  .prefault({});

const Rooms = z
  .strictObject({
    defaultVersion: z
      .enum(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12'])
      .default('12')
      .describe('Room version of new rooms.'),
    maxInvitesPerCreate: z.int().min(0).max(1000).default(100).describe('Invites that one createRoom may carry.'),
    redactedContentDays: z
      .int()
      .min(0)
      .max(3650)
      .default(7)
      .describe(
        'Days after which the content of a redacted event is taken out of the database; nobody is given it from the first moment on.',
      ),
  })
  .prefault({});

const Federation = z
  .strictObject({
    mode: z
      .enum(['Enabled', 'Disabled'])
      .default('Enabled')
      .describe('Disabled serves nothing of what other Matrix servers ask for, the signing keys included.'),
  })
  .prefault({});

const Sync = z
  .strictObject({
    maxTimeoutMs: z.int().min(0).max(600_000).default(120_000).describe('Longest long poll, whatever the client asks.'),
    timelineLimit: z
      .int()
      .min(1)
      .max(100)
      .default(20)
      .describe('Events a room in a sync answer when no filter says otherwise.'),
    maxTimelineLimit: z.int().min(1).max(1000).default(100).describe('Most events a room that a filter may ask for.'),
  })
  .prefault({});

const Presence = z
  .strictObject({
    mode: z
      .enum(['Enabled', 'Disabled'])
      .default('Enabled')
      .describe(
        "Disabled keeps and tells nobody's presence: everybody is offline, and what clients say of theirs is dropped.",
      ),
  })
  .prefault({})
  .describe('Who is online, told to those who share a room.');

const UserDirectory = z
  .strictObject({
    visibility: z
      .enum(['Shared', 'All'])
      .default('Shared')
      .describe(
        'Whom a search finds: users who share a room with the caller or are in a public one, or all of this server.',
      ),
  })
  .prefault({})
  .describe('Searching for users by name.');

const ServerNotices = z
  .strictObject({
    localpart: z
      .string()
      .regex(/^[a-z0-9._=\-/+]{1,64}$/, '1 to 64 of a-z 0-9 . _ = - / + are allowed')
      .default('_server')
      .describe('Name of the user as whom the server talks to its users; nobody can register it or log in to it.'),
    displayName: z.string().min(1).max(256).default('Server notices').describe('Display name of that user.'),
    roomName: z.string().min(1).max(256).default('Server notices').describe('Name of the rooms in which it talks.'),
    avatarUrl: z
      .string()
      .max(255)
      .regex(/^mxc:\/\/[^/]+\/[^/]+$/, 'an mxc:// URI is allowed')
      .optional()
      .describe('Avatar of that user and those rooms.'),
  })
  .prefault({})
  .describe('Notices of the server to its users, sent by `homeserver admin server-notice`.');

const Support = z
  .strictObject({
    contacts: z
      .array(
        z
          .strictObject({
            role: z
              .string()
              .min(1)
              .max(255)
              .describe('m.role.admin, m.role.security, or a name of your own such as com.example.role.'),
            matrixId: z
              .string()
              .max(255)
              .regex(/^@[^:]*:.+$/, '@name:server is allowed')
              .optional()
              .describe('Matrix user to write to; better one of another server.'),
            emailAddress: z.email().max(255).optional().describe('Mail address to write to.'),
          })
          .refine((contact) => contact.matrixId !== undefined || contact.emailAddress !== undefined, {
            message: 'matrixId or emailAddress is required',
          }),
      )
      .max(32)
      .default([])
      .describe('Who answers.'),
    page: z
      .url({ protocol: /^https?$/ })
      .max(512)
      .optional()
      .describe('Web page with help for users of this server.'),
  })
  .refine((support) => support.contacts.length > 0 || support.page !== undefined, {
    message: 'contacts or page is required',
  })
  .describe('Whom to ask for help, published in /.well-known/matrix/support.');

const MediaBucket = z
  .strictObject({
    ...S3_LOCATION,
    credentialsDirectory: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Directory with the files accessKeyId and secretAccessKey, read anew for each request. Without it the pod's own " +
          'identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE).',
      ),
  })
  .describe(
    'Bucket for uploaded files, which lie under <prefix><serverName>/media/. When the server starts, writing, reading and ' +
      'deleting there must be allowed; that the bucket does not answer then is only logged.',
  );

const Media = z
  .strictObject({
    directory: z
      .string()
      .min(1)
      .optional()
      .describe('Directory for uploaded files, shared by all replicas; it must be writable when the server starts.'),
    s3: MediaBucket.optional(),
  })
  .refine(({ directory, s3 }) => (directory === undefined) !== (s3 === undefined), {
    message: 'exactly one of directory and s3 is needed',
  })
  .describe('Where uploaded files are kept.');

const Turn = z
  .strictObject({
    uris: z
      .array(
        z
          .string()
          .max(512)
          .regex(/^turns?:/, 'turn:host:port or turns:host:port is allowed'),
      )
      .min(1)
      .max(16)
      .describe('TURN URIs that clients are told.'),
    secretFile: z.string().min(1).describe('File with the secret shared with the TURN server.'),
    credentialLifetimeSeconds: z.int().min(60).max(604_800).default(86_400).describe('How long credentials hold.'),
  })
  .describe('TURN server for calls, with time-limited credentials made from a shared secret.');

const Rtc = z
  .strictObject({
    livekitServiceUrl: z
      .url({ protocol: /^https?$/ })
      .max(512)
      .describe('URL of the service that gives clients access to LiveKit.'),
  })
  .describe('Group calls (MSC4143), published in /.well-known/matrix/client.');

/** `homeserver.yaml`. Secrets are named by file, never written here. Units stand in the names. */
export const HomeserverConfig = z.strictObject({
  serverName: ServerNameField.describe('Name of this server; part of every id and never changed.'),
  publicBaseUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('URL at which clients reach this server; published in /.well-known/matrix/client.'),
  wellKnownServer: z
    .string()
    .max(255)
    .optional()
    .describe('host:port at which other servers reach this one; published in /.well-known/matrix/server.'),
  listeners: Listeners,
  database: Database,
  keyringFile: z
    .string()
    .default(MOUNTS.keyringFile)
    .describe('Signing keys; watched, so a rotation needs no restart.'),
  appDirectory: z.string().default(MOUNTS.app).describe('Directory with registration-secret, token-key and form-key.'),
  media: Media.optional(),
  turn: Turn.optional(),
  rtc: Rtc.optional(),
  registration: Registration,
  rateLimits: RateLimits,
  rooms: Rooms,
  sync: Sync,
  presence: Presence,
  userDirectory: UserDirectory,
  serverNotices: ServerNotices,
  support: Support.optional(),
  federation: Federation,
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severe log line to write.'),
  maxRequestBytes: z.int().min(65_536).max(16_777_216).default(1_048_576).describe('Largest JSON body of a request.'),
  trustedProxies: z
    .array(z.string().max(64))
    .max(32)
    .default([])
    .describe('Addresses or CIDRs of proxies whose X-Forwarded-For is believed.'),
});

export type HomeserverConfig = z.infer<typeof HomeserverConfig>;

/** Keys that the operator sets and a resource's `spec.config` may not. */
export const OPERATOR_OWNED_KEYS = [
  'serverName',
  'listeners',
  'database',
  'keyringFile',
  'appDirectory',
  'federation',
  'media',
] as const;

/**
 * What `spec.config` of a resource may hold: the same schema, everything optional, without the operator's own keys. What it says
 * of TURN is laid over what the operator does.
 */
export const UserConfig = HomeserverConfig.extend({ turn: Turn.partial() })
  .omit({
    serverName: true,
    listeners: true,
    database: true,
    keyringFile: true,
    appDirectory: true,
    federation: true,
    media: true,
  })
  .partial();
