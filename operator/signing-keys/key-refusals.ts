import type { FailureReason } from '../errors.ts';
import type { Refusal, UnreadableKey } from './key-facts.ts';
import type { LedgerRow } from './keyring-content.ts';

/* What a person is told when a key cannot go on: what is wrong and what to do. Never any part of a private half. */

export function notListed({ name, keyId, state }: LedgerRow): Refusal {
  return refuse(
    'KeyMismatch',
    `the database's ledger has signing key "${name}" (${keyId}) as ${state}, but signingKeys.keys does not list it; list it again`,
  );
}

export function unusable(name: string, { unreadable, reason }: UnreadableKey): Refusal {
  return refuse(
    reason,
    `the Secret of signing key "${name}" cannot be used: ${unreadable}; restore its content, or delete it to have it made again from the keyring`,
  );
}

export function badImport(name: string, { unreadable, reason }: UnreadableKey): Refusal {
  return refuse(reason, `what secretRef of signing key "${name}" names cannot be used: ${unreadable}`);
}

export function otherBytes(name: string, publicKey: string): Refusal {
  return refuse(
    'KeyMismatch',
    `the Secret of signing key "${name}" holds another key than the one that was published (public key ${publicKey}); restore the right one`,
  );
}

export function otherId(name: string, recorded: string, found: string): Refusal {
  return refuse(
    'KeyMismatch',
    `signing key "${name}" was published as ${recorded}, its Secret now calls it ${found}; correct key-id in the Secret`,
  );
}

export function otherEarlier({ name, keyId }: LedgerRow): Refusal {
  return refuse(
    'KeyMismatch',
    `signing key "${name}" is ${keyId} in the database's ledger; publicKey and keyID in the spec differ from it`,
  );
}

export function wentOn({ name, state }: LedgerRow, goal: string): Refusal {
  return refuse('KeyMismatch', `signing key "${name}" is ${state} and cannot become ${goal} again; name a new key`);
}

export function twinOf(name: string, twin: LedgerRow): Refusal {
  return refuse(
    'KeyIDConflict',
    `signing key "${name}" has the id or the bytes of key "${twin.name}" (${twin.keyId}); give each its own`,
  );
}

export function usedBy(name: string, resource: string): Refusal {
  return refuse(
    'KeyReuse',
    `signing key "${name}" is also a key of the older resource ${resource}; two servers with one key can speak for each other: give each its own`,
  );
}

export function lost(name: string, which: string | undefined): Refusal {
  return refuse(
    'KeyLost',
    `the private half of signing key "${name}" (${which ?? 'unknown id'}) is in no Secret and not in the keyring; restore its Secret, or set its state to Retired (or Revoked) and another key to Active: a new key is never made in its place`,
  );
}

export function unknownKey(name: string, goal: string): Refusal {
  return refuse(
    'KeyUnknown',
    `signing key "${name}" shall be ${goal}, but this server never had it; for a key of an earlier server give publicKey, keyID and expiredTS`,
  );
}

export function nameInUse(serverName: string, keyIds: readonly string[]): Refusal {
  return refuse(
    'ServerNameInUse',
    `${serverName} already answers other servers with keys that are not ours (${keyIds.join(', ')}), so no key is made; stop that server, or bring its key by secretRef`,
  );
}

export function clockSkew(id: string, skewMs: number): Refusal {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return refuse(
    'ClockSkew',
    `the clock of replica ${id} is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} the database's, so no end of the old key can be fixed; set the clock of its node (30 s are allowed)`,
  );
}

function refuse(reason: FailureReason, message: string): Refusal {
  return { reason, message };
}
