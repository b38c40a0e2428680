import { withSession } from '../database/sessions.ts';
import type { DatabaseLogin } from '../database/connect.ts';
import type { Outside } from '../federation-check/finding.ts';
import { generateSigningKey } from './generate.ts';
import type { SigningKey } from './generate.ts';
import type { FoundKeys, FoundSecret, KeyAction, KeyPlan, Refusal, Remembered } from './key-facts.ts';
import type { UnreadableKey, WantedKeys } from './key-facts.ts';
import { buildKeyring, readKeyring } from './keyring.ts';
import { contentText } from './keyring-content.ts';
import type { LedgerRow } from './keyring-content.ts';
import { decideKeyring, expireKey, forgetKey, moveKeys, noteDestroyed, noteRestart } from './ledger.ts';
import { readLedger, recordKey, showKeys } from './ledger.ts';
import { planKeys } from './plan-keys.ts';
import { raiseFloor, readSigningFacts } from './signing-facts.ts';

export type { WantedKeys } from './key-facts.ts';

/** A key Secret of ours as it is read. */
export type StoredKey = SigningKey & { readonly remembers: Remembered | undefined };

/** Where private halves are kept; written by the reconciler over Secrets. All writes must be durable when they resolve. */
export interface KeyStore {
  /** Private half by key name, from `<n>-key-<k>`; undefined when there is no such Secret. */
  readKey(name: string): Promise<StoredKey | UnreadableKey | undefined>;
  /** Whether a watch shows no Secret for this key, so that most likely there is none; absent: nobody watches. */
  isUnseen?(name: string): boolean;
  /** What the Secret that the user names holds for a key; undefined when the spec names none for it. */
  readBrought(name: string): Promise<SigningKey | UnreadableKey | undefined>;
  /** Create only. A Secret that exists already is no error: the caller reads it again. */
  createKey(name: string, key: SigningKey, remembers?: Remembered): Promise<void>;
  /** Notes state and end on the Secret as it was read last. */
  noteKey(name: string, remembers: Remembered): Promise<void>;
  /** A Secret that is gone already is no error. */
  deleteKey(name: string): Promise<void>;
  /** Text of `keyring.json`; undefined when there is none. */
  readKeyring(): Promise<string | undefined>;
  /** Replaces what was read last; somebody else's write in between must make it fail. */
  writeKeyring(text: string): Promise<void>;
}

export type KeyFacts = LedgerRow;

/** The keys as they are once nothing more can be done now. */
export interface KeysReport {
  readonly keys: readonly KeyFacts[];
  readonly keyringGeneration: number;
  /** Generation of the keyring for which a rolling restart was forced last; 0: none. */
  readonly restartGeneration: number;
  /** When a key's state changes by itself, Unix ms, by name. */
  readonly transitions: ReadonlyMap<string, number>;
  /** Why the spec is not reached yet; undefined when it is. */
  readonly pending: { readonly message: string; readonly isStuck: boolean } | undefined;
  /** What a person has to mend while the replicas run on. */
  readonly problem: Refusal | undefined;
  /** After how many ms to look again; undefined when nothing is awaited. */
  readonly lookAfterMs: number | undefined;
  /** What was done, such as "mint k1"; empty when everything was there. */
  readonly changes: readonly string[];
}

export type KeysResult =
  | ({ readonly ok: true } & KeysReport)
  /** There is no keyring that replicas could start on. */
  | { readonly ok: false; readonly refusal: Refusal };

export interface EnsureKeysInput {
  readonly login: DatabaseLogin;
  readonly wanted: WantedKeys;
  readonly store: KeyStore;
  /** Keys that status lists: one more witness that a key was there before. */
  readonly known: FoundKeys['known'];
  /** Public key -> older resource that uses it too. */
  readonly usedElsewhere?: FoundKeys['usedElsewhere'];
  /** What the server name answers to the world. */
  readonly outside?: Outside | undefined;
  /** [1] Shortens the waits T1 and T4. */
  readonly waitDivisor?: number;
}

/** A first key takes four actions, each seen to be done by the next look; up to 16 keys may be listed. */
const MAX_ACTIONS = 128;
/** How soon to look again at replicas that have not reported yet, in ms. */
const REPORT_LOOK_MS = 1000;

/**
 * Brings Secrets, ledger and keyring towards what is wanted, one durable action at a time, until only time, the replicas
 * or a person can bring it on. Safe to repeat, to be killed anywhere and to run twice at once. Errors: as `withSession`
 * and what the store throws.
 */
export async function ensureKeys(input: EnsureKeysInput): Promise<KeysResult> {
  const changes: string[] = [];
  while (changes.length < MAX_ACTIONS) {
    const { seen, plan } = await observeAndPlan(input, { mayGuess: changes.length === 0 });
    if (plan.action === undefined) return resultOf(plan, seen.found, changes);
    await execute(plan.action, input, seen.privateKeys);
    changes.push(describe(plan.action));
  }
  throw new Error(`the signing keys do not come to rest after ${MAX_ACTIONS} actions`);
}

/**
 * A watch may be late, so only one thing is done on its word: to draw a key that it does not show, which makes a Secret where
 * none is, or nothing. Whatever else would be done or said then is planned again from what the API server says.
 */
async function observeAndPlan(input: EnsureKeysInput, { mayGuess }: Guessing): Promise<{ seen: Seen; plan: KeyPlan }> {
  const seen = await observe(input, { mayGuess });
  const plan = planKeys(input.wanted, seen.found, input.waitDivisor);
  if (seen.isGuessed && plan.action?.kind !== 'mint') return observeAndPlan(input, { mayGuess: false });
  return { seen, plan };
}

/** Whether a Secret that a watch does not show may be taken for absent without a question. */
interface Guessing {
  readonly mayGuess: boolean;
}

function resultOf(plan: KeyPlan, found: FoundKeys, changes: string[]): KeysResult {
  const { problem, waits, isUsable } = plan;
  if (!isUsable && problem !== undefined) return { ok: false, refusal: problem };
  const { generation = 0, restarted = 0 } = found.decided ?? {};
  const transitions = waits.flatMap(({ name, until }): [string, number][] =>
    name === undefined || until === undefined ? [] : [[name, until]],
  );
  const looks = waits.map(({ until = 0 }) => Math.max(until - found.now, REPORT_LOOK_MS));
  return {
    ok: true,
    keys: found.rows,
    keyringGeneration: generation,
    restartGeneration: restarted,
    transitions: new Map(transitions),
    pending: pendingOf(plan),
    problem,
    lookAfterMs: looks.length === 0 ? undefined : Math.min(...looks),
    changes,
  };
}

function pendingOf({ waits, isStuck = false }: KeyPlan): KeysReport['pending'] {
  const awaited = waits.find(({ isProgress }) => isProgress || isStuck);
  return awaited === undefined ? undefined : { message: awaited.message, isStuck };
}

function describe(action: KeyAction): string {
  if (action.kind === 'move') return action.moves.map(({ name, to }) => `${name} to ${to}`).join(', ');
  if (action.kind === 'visible') return `visible ${action.names.join(', ')}`;
  return `${action.kind} ${'name' in action ? action.name : 'keyring'}`;
}

interface Seen {
  readonly found: FoundKeys;
  readonly privateKeys: readonly SigningKey[];
  readonly isGuessed: boolean;
}

/**
 * The ledger is read first: what it has was durable in a Secret before, so a Secret that is missing after that is
 * missing indeed, and not one that another operator is just making.
 */
async function observe(input: EnsureKeysInput, { mayGuess }: Guessing): Promise<Seen> {
  const { login, wanted, store, known } = input;
  const { ledger, signing } = await withSession(login, async (session) => {
    const { hasReplicas, ...rest } = await readLedger(session);
    return { ledger: rest, signing: hasReplicas ? await readSigningFacts(session) : undefined };
  });
  const isUnseen = (name: string) => mayGuess && store.isUnseen?.(name) === true;
  const halves = await readHalves(wanted, ledger.rows, { store, isUnseen });
  const keyring = readKeyring(await store.readKeyring());
  const found: FoundKeys = {
    ...ledger,
    signing,
    serverName: wanted.serverName,
    secrets: halves.secrets,
    brought: halves.brought,
    keyring,
    known,
    usedElsewhere: input.usedElsewhere ?? new Map(),
    outside: input.outside,
  };
  const own = [...halves.secrets.values(), ...halves.brought.values()].filter((key) => 'seed' in key);
  return { found, privateKeys: [...own, ...(keyring?.keys ?? [])], isGuessed: halves.isGuessed };
}

interface Halves {
  readonly secrets: ReadonlyMap<string, (SigningKey & FoundSecret) | UnreadableKey>;
  readonly brought: ReadonlyMap<string, SigningKey | UnreadableKey>;
  readonly isGuessed: boolean;
}

interface Halving {
  readonly store: KeyStore;
  readonly isUnseen: (name: string) => boolean;
}

/** Only of keys that may have a private half; the user's Secret only while our copy is missing. */
async function readHalves(
  { keys }: WantedKeys,
  rows: readonly LedgerRow[],
  { store, isUnseen }: Halving,
): Promise<Halves> {
  let isGuessed = false;
  const secrets = new Map<string, StoredKey | UnreadableKey>();
  const brought = new Map<string, SigningKey | UnreadableKey>();
  const isGone = (name: string) => rows.some((row) => row.name === name && row.isDestroyed);
  const listed = keys.filter(({ earlier }) => earlier === undefined).map(({ name }) => name);
  for (const name of new Set([...listed, ...rows.map((row) => row.name)])) {
    if (isGone(name)) continue;
    if (isUnseen(name) && !rows.some((row) => row.name === name)) {
      isGuessed = true;
      continue;
    }
    const key = await store.readKey(name);
    if (key !== undefined) secrets.set(name, key);
    else if (keys.some((one) => one.name === name && one.isBrought)) {
      const theirs = await store.readBrought(name);
      if (theirs !== undefined) brought.set(name, theirs);
    }
  }
  return { secrets, brought, isGuessed };
}

const ON_SECRETS = ['mint', 'import', 'restore', 'note', 'destroy', 'write'] as const;

type SecretAction = Extract<KeyAction, { kind: (typeof ON_SECRETS)[number] }>;
type DatabaseAction = Exclude<KeyAction, SecretAction>;

function isOnSecrets(action: KeyAction): action is SecretAction {
  return ON_SECRETS.some((kind) => kind === action.kind);
}

function execute(action: KeyAction, input: EnsureKeysInput, privateKeys: readonly SigningKey[]): Promise<void> {
  return isOnSecrets(action)
    ? executeOnSecrets(action, input.store, privateKeys)
    : executeInDatabase(action, input.login);
}

async function executeOnSecrets(
  action: SecretAction,
  store: KeyStore,
  privateKeys: readonly SigningKey[],
): Promise<void> {
  switch (action.kind) {
    case 'mint':
      return store.createKey(action.name, generateSigningKey(), action.remembers);
    case 'import':
      return importKey(action.name, store);
    case 'restore':
      return store.createKey(action.name, { ...bytesOf(action.key.publicKey, privateKeys), keyId: action.key.keyId });
    case 'note':
      return store.noteKey(action.name, action.remembers);
    case 'destroy':
      return store.deleteKey(action.name);
    case 'write':
      return store.writeKeyring(buildKeyring(action.content, action.generation, privateKeys));
  }
}

function executeInDatabase(action: DatabaseAction, login: DatabaseLogin): Promise<void> {
  switch (action.kind) {
    case 'record':
      return recordKey(login, { ...action, ...action.key });
    case 'move':
      return moveKeys(login, action.moves);
    case 'expire':
      return expireKey(login, action.name, action.expiredTs);
    case 'visible':
      return showKeys(login, action.names);
    case 'forget':
      return forgetKey(login, action.name);
    case 'destroyed':
      return noteDestroyed(login, action.name);
    case 'floor':
      return raiseFloor(login, action.generation);
    case 'decide':
      return decideKeyring(login, action.generation, contentText(action.content));
    case 'restart':
      return noteRestart(login, action.generation);
  }
}

async function importKey(name: string, store: KeyStore): Promise<void> {
  const key = await store.readBrought(name);
  // Gone or spoilt since it was read: the next look says so.
  if (key !== undefined && 'seed' in key) await store.createKey(name, key);
}

function bytesOf(publicKey: string, privateKeys: readonly SigningKey[]): SigningKey {
  const bytes = privateKeys.find((key) => key.publicKey === publicKey);
  if (bytes === undefined) throw new Error('the plan restores a key that was not read');
  return bytes;
}
