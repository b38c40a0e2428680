import * as z from 'zod';
import type { TlsSettings } from './connect.ts';

/** A database server that the platform team offers, from its Secret. */
export interface ServerEntry {
  readonly host: string;
  readonly port: number;
  readonly maintenanceDatabase: string;
  readonly username: string;
  readonly password: string;
  readonly tls: TlsSettings;
}

export type ParsedEntry =
  | { readonly ok: true; readonly entry: ServerEntry }
  /** Names the keys that are wrong and what is allowed; never their values. */
  | { readonly ok: false; readonly message: string };

const needed = (max: number) => z.string({ error: 'is missing' }).min(1, 'is empty').max(max);

const Entry = z
  .object({
    host: needed(253).regex(/^\S+$/, 'must be a host name or an address'),
    port: z
      .string()
      .default('5432')
      .refine((text) => /^[1-9][0-9]{0,4}$/.test(text) && Number(text) < 65_536, 'must be a number from 1 to 65535')
      .transform(Number),
    maintenanceDatabase: needed(63).default('postgres'),
    username: needed(63),
    password: needed(4096),
    tls: z
      .enum(['Disable', 'Require', 'VerifyCA', 'VerifyFull'], 'must be Disable, Require, VerifyCA or VerifyFull')
      .default('VerifyFull'),
    'ca.crt': z.string().optional(),
  })
  .refine((entry) => entry.tls !== 'VerifyCA' || (entry['ca.crt'] ?? '') !== '', {
    path: ['ca.crt'],
    message: 'is needed for tls VerifyCA',
  });

/** Reads the values of an entry's Secret. */
export function parseServerEntry(values: Readonly<Record<string, string>>): ParsedEntry {
  const parsed = Entry.safeParse(values);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.')} ${message}`);
    return { ok: false, message: faults.join(', ') };
  }
  const { tls: mode, 'ca.crt': ca, ...rest } = parsed.data;
  const caCertificate = ca === undefined || ca === '' ? undefined : ca;
  return { ok: true, entry: { ...rest, tls: caCertificate === undefined ? { mode } : { mode, caCertificate } } };
}

/** Whether the entry's key `namespaces` (names by comma or space, or `*`) lets a namespace in; empty lets none in. */
export function allowsNamespace(namespaces: string | undefined, namespace: string): boolean {
  const names = (namespaces ?? '').split(/[\s,]+/);
  return names.includes('*') || names.includes(namespace);
}
