import * as z from 'zod';
import { rules } from './cel.ts';
import { SecretKeyRef, SecretRef } from './fields.ts';

const identifier = z
  .string()
  .min(1)
  .max(60)
  .regex(/^[a-z_][a-z0-9_-]*$/);

const DatabaseServer = z
  .object({
    host: z.string().min(1).max(253).describe('Host name or address of the PostgreSQL server.'),
    port: z.int().min(1).max(65_535).default(5432).describe('TCP port of the server.'),
    maintenanceDatabase: z
      .string()
      .min(1)
      .max(63)
      .default('postgres')
      .describe('Database that the administrator login connects to while it makes role and database.'),
    adminSecretRef: SecretRef(
      'Secret with the keys username and password of a login that has CREATEROLE and CREATEDB; no superuser is needed.',
    ),
  })
  .describe('A PostgreSQL server on which the operator makes the role and the database.');

const ServerRef = z
  .object({
    name: z
      .string()
      .min(1)
      .max(63)
      .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
      .describe('Name of the entry: the value of the label matrix-operator.dev/database-server on its Secret.'),
  })
  .describe(
    'A server that the platform team offers by a Secret in the namespace of the operator; see docs/databases.md. ' +
      'The name of the database is always derived.',
  );

const ExistingDatabase = z
  .object({
    secretRef: SecretRef('Secret with the keys host, port, dbname, username and password.'),
  })
  .describe('A role and a database made by somebody else: nothing is created, altered or dropped.');

const DatabaseTls = z
  .object({
    mode: z
      .enum(['Disable', 'Require', 'VerifyCA', 'VerifyFull'])
      .default('VerifyFull')
      .describe(
        'VerifyFull checks authority and host name, VerifyCA the authority only, Require encrypts only, Disable does not.',
      ),
    caSecretRef: SecretKeyRef(
      "Certificates of the authorities to believe, in PEM. Without it the system's own are used.",
    ).optional(),
  })
  .prefault({ mode: 'VerifyFull' })
  .describe('How connections to PostgreSQL are protected.')
  .meta(
    rules({
      rule: "self.mode != 'VerifyCA' || has(self.caSecretRef)",
      message: 'tls.mode VerifyCA needs tls.caSecretRef',
    }),
  );

/** `spec.database`. */
export const DatabaseSpec = z
  .object({
    serverRef: ServerRef.optional(),
    server: DatabaseServer.optional(),
    existing: ExistingDatabase.optional(),
    name: identifier
      .describe(
        'Name of the database and its owner role; without it mhs_<namespace>_<name>_<8 hex>. Cannot be changed.',
      )
      .meta(
        rules({
          rule: "!(self in ['postgres', 'template0', 'template1'])",
          message: 'postgres, template0 and template1 belong to the server',
        }),
      )
      .optional(),
    tls: DatabaseTls,
    adoptPolicy: z
      .enum(['None', 'Empty', 'SameServerName'])
      .default('None')
      .describe(
        'What to do with a database that is there already without our claim: None refuses it, Empty takes one without ' +
          'tables, SameServerName also takes over one that belonged to the same server name.',
      ),
    passwordVersion: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(1)
      .describe(
        'Raise it by one to rotate the password of the database: the replicas move to a second login, then the first is closed.',
      )
      .meta(rules({ rule: 'self >= oldSelf', message: 'database.passwordVersion only grows' })),
    poolSize: z
      .int()
      .min(4)
      .max(100)
      .default(10)
      .describe('Connections that one replica opens at most; also sets the connection limit of the login role.'),
  })
  .describe('The PostgreSQL database of this server.')
  .meta(
    rules(
      {
        rule: '[has(self.serverRef), has(self.server), has(self.existing)].filter(x, x).size() == 1',
        message: 'exactly one of database.serverRef, database.server and database.existing is needed',
      },
      { rule: '!has(self.name) || has(self.server)', message: 'database.name is only for database.server' },
      {
        rule: "!has(self.serverRef) || (self.tls.mode == 'VerifyFull' && !has(self.tls.caSecretRef))",
        message: 'database.tls is not for database.serverRef: the server entry says how connections are protected',
      },
      {
        rule: '!has(self.existing) || self.passwordVersion == 1',
        message:
          'database.passwordVersion is not for database.existing: change the Secret, and the replicas are rolled',
      },
      {
        rule: 'has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)',
        message: 'database.name cannot be changed',
      },
    ),
  );

export type DatabaseSpec = z.infer<typeof DatabaseSpec>;
