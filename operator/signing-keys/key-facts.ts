import type { FailureReason } from '../errors.ts';
import type { Outside } from '../federation-check/finding.ts';
import type { KeyGoal, KeyState } from './key-states.ts';
import type { KeyringContent, LedgerRow } from './keyring-content.ts';

export interface PublicKey {
  readonly keyId: string;
  readonly publicKey: string;
}

/** Why something is not done: what is wrong and what a person can do. */
export interface Refusal {
  readonly reason: FailureReason;
  readonly message: string;
}

/** A Secret that is there but holds no usable key. */
export interface UnreadableKey {
  readonly unreadable: string;
  readonly reason: 'WeakKey' | 'KeyMismatch' | 'SecretMissing';
}

export interface WantedKey {
  readonly name: string;
  readonly state: KeyGoal;
  /** True when the key comes from a Secret of the user, `secretRef`. */
  readonly isBrought: boolean;
  /** Unix ms; present exactly when `state` is Revoked. */
  readonly compromisedAt: number | undefined;
  /** Public half and end of a key of an earlier server, whose private half never comes here. */
  readonly earlier: (PublicKey & { readonly expiredTs: number }) | undefined;
}

export interface WantedKeys {
  readonly serverName: string;
  /** V: how far ahead `valid_until_ts` lies, in seconds. */
  readonly validitySeconds: number;
  /** Exactly one is Active. */
  readonly keys: readonly WantedKey[];
}

/** A state that something beside the ledger remembers: the Secret's annotations, or status. */
export interface Remembered {
  readonly state: KeyState;
  /** Unix ms; present for Retired and Revoked. */
  readonly expiredTs: number | undefined;
}

/** The public side of a key Secret. */
export interface FoundSecret extends PublicKey {
  readonly remembers: Remembered | undefined;
}

/** A process that serves, by its own word in `ops.replica`. */
export interface ReplicaFacts {
  readonly id: string;
  /** It gave a sign of life within 30 s. */
  readonly isLive: boolean;
  /** Generation of the keyring that it uses. */
  readonly generation: number;
  /** Its own clock and the database's at its last sign of life, Unix ms. */
  readonly clock: number;
  readonly heartbeat: number;
  /** Key id -> its newest signature, Unix ms by its own clock. */
  readonly lastSigned: Readonly<Record<string, number>>;
}

/** What the homeserver's schema says about keys; undefined before the first migration. */
export interface SigningFacts {
  readonly replicas: readonly ReplicaFacts[];
  /** No process with an older keyring signs, once it has heard of it; `at` is Unix ms of the newest raise. */
  readonly floor: { readonly generation: number; readonly at: number };
  /** Key id -> newest signature, Unix ms, of processes that have ended. */
  readonly lastSigned: Readonly<Record<string, number>>;
}

/** A key as status remembers it. */
export interface KnownKey extends PublicKey {
  readonly name: string;
  readonly remembers: Remembered | undefined;
}

/** Everything that can bear witness of a key, read before the plan. Public halves only. */
export interface FoundKeys {
  readonly serverName: string;
  /** Unix ms by the clock of the database. */
  readonly now: number;
  /** What `<n>-key-<k>` holds, by name; absent when there is no Secret. */
  readonly secrets: ReadonlyMap<string, FoundSecret | UnreadableKey>;
  /** What the Secret of the user holds, by name; read only while our own is missing. */
  readonly brought: ReadonlyMap<string, PublicKey | UnreadableKey>;
  readonly rows: readonly LedgerRow[];
  /** The keyring that was decided on last. */
  readonly decided:
    | {
        readonly generation: number;
        readonly content: string;
        /** Unix ms. */
        readonly at: number;
        /** Generation for which a rolling restart was forced; 0: none. */
        readonly restarted: number;
      }
    | undefined;
  /** `keyring.json` as it is. */
  readonly keyring:
    | {
        readonly generation: number;
        readonly content: string;
        /** Keys whose private half is in it. */
        readonly keys: readonly PublicKey[];
        /** Public key -> what it is in there. */
        readonly states: ReadonlyMap<string, 'Published' | 'Active' | 'Retiring'>;
        readonly sound: boolean;
      }
    | undefined;
  /** What status says of earlier runs. */
  readonly known: readonly KnownKey[];
  readonly signing: SigningFacts | undefined;
  /** Public key -> older resource that uses it too. */
  readonly usedElsewhere: Pick<ReadonlyMap<string, string>, 'get'>;
  /** What the server name answers to the world; undefined when nobody looked. */
  readonly outside: Outside | undefined;
}

/** One key's step in the ledger. */
export interface KeyMove {
  readonly name: string;
  readonly to: KeyState;
  /** Unix ms. */
  readonly expiredTs?: number;
}

export type KeyAction =
  /** Draw a new key and keep it in a Secret of its own (create only), with the state that the ledger will have first. */
  | { readonly kind: 'mint'; readonly name: string; readonly remembers?: Remembered }
  /** Copy the key that the user brought into a Secret of our own. */
  | { readonly kind: 'import'; readonly name: string }
  /** Make the Secret again from the bytes in the keyring. */
  | { readonly kind: 'restore'; readonly name: string; readonly key: PublicKey }
  /** Add a key to the ledger, or raise it there to what a Secret or status remembers. */
  | {
      readonly kind: 'record';
      readonly name: string;
      readonly key: PublicKey;
      readonly state: KeyState;
      readonly expiredTs?: number | undefined;
      /** A key of an earlier server: its private half never was here. */
      readonly isEarlier?: boolean;
    }
  /** Take a key that nobody ever saw out of the ledger. */
  | { readonly kind: 'forget'; readonly name: string }
  /** All of them in one transaction, or none. */
  | { readonly kind: 'move'; readonly moves: readonly KeyMove[] }
  /** Fix, once, up to when the signatures of a retiring key count. */
  | { readonly kind: 'expire'; readonly name: string; readonly expiredTs: number }
  /** Every replica publishes these keys. */
  | { readonly kind: 'visible'; readonly names: readonly string[] }
  /** Write state and end of a key on its Secret. */
  | { readonly kind: 'note'; readonly name: string; readonly remembers: Remembered }
  /** From now on nobody signs with an older keyring. */
  | { readonly kind: 'floor'; readonly generation: number }
  | { readonly kind: 'decide'; readonly generation: number; readonly content: KeyringContent }
  | { readonly kind: 'write'; readonly generation: number; readonly content: KeyringContent }
  /** Replicas that do not take the keyring are replaced. */
  | { readonly kind: 'restart'; readonly generation: number }
  /** Delete the Secret of a private half that nobody needs any more. */
  | { readonly kind: 'destroy'; readonly name: string }
  /** Remember in the ledger that no private half is left. */
  | { readonly kind: 'destroyed'; readonly name: string };

/** Something that only time or the replicas bring. */
export interface KeyWait {
  readonly name?: string;
  readonly message: string;
  /** Unix ms at which it goes on; undefined when it is not known. */
  readonly until: number | undefined;
  /** True while the spec is not reached; false for what is only tidied up later. */
  readonly isProgress: boolean;
}

export interface KeyPlan {
  /** The next step; after it the caller observes and plans again. Without one everything that can be done is done. */
  readonly action?: KeyAction;
  /** What a person has to mend first; other keys go on. */
  readonly problem?: Refusal | undefined;
  readonly waits: readonly KeyWait[];
  /** True when the keyring is in place and replicas may start on it. */
  readonly isUsable: boolean;
  /** Replicas have not taken the keyring for so long that a person should look. */
  readonly isStuck?: boolean;
}
