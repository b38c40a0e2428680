import type { SigningKey } from '../signing-keys/generate.ts';
import type { KeyStore, StoredKey } from '../signing-keys/ensure-keys.ts';
import { keySecretData, readKeySecret, readRemembered } from '../signing-keys/key-secret.ts';
import type { Remembered, UnreadableKey } from '../signing-keys/key-facts.ts';
import { readSigningKeyFile } from '../signing-keys/signing-key-file.ts';
import { EXPIRED_ANNOTATION, STATE_ANNOTATION, keySecret, keyringSecret } from '../resources/secrets.ts';
import { isAlreadyExists, isNotFound } from '../runtime/kube-error.ts';
import type { KubeObject } from '../runtime/kube-object.ts';
import { deleteSecret } from './delete-secret.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import { readSecret } from './secret-data.ts';
import type { StepContext } from './step.ts';

/** Signing keys in Secrets: private halves are created once, the keyring is replaced only as it was read. */
export function createKeyStore(ctx: StepContext): KeyStore {
  return { ...halves(ctx), ...keyringOf(ctx), readBrought: (name) => readBrought(ctx, name) };
}

type Halves = Pick<KeyStore, 'readKey' | 'isUnseen' | 'createKey' | 'noteKey' | 'deleteKey'>;

function halves({ env, owner, names, homeserver }: StepContext): Halves {
  const { namespace } = owner;
  const read = new Map<string, KubeObject>();
  // A key is looked at several times in a run, and to derive its public half takes a millisecond.
  const parsed = new WeakMap<KubeObject, StoredKey | UnreadableKey>();
  return {
    async readKey(name) {
      const object = await env.client.get(KINDS.secret, { namespace, name: names.keySecret(name) });
      if (object === undefined) return undefined;
      read.set(name, object);
      const key = parsed.get(object) ?? storedKey(object);
      parsed.set(object, key);
      return key;
    },
    isUnseen(name: string): boolean {
      const at = { namespace, name: names.keySecret(name) };
      return env.caches.seesSecrets(namespace) && env.caches.versionOf(KINDS.secret, at) === undefined;
    },
    async createKey(name: string, key: SigningKey, remembers?: Remembered): Promise<void> {
      const { serverName } = homeserver.spec;
      const notes = remembers === undefined ? {} : notesOf(remembers);
      const manifest = keySecret({ owner, serverName, key: name, notes, data: keySecretData(key) });
      await env.client.create(KINDS.secret, manifest, MANAGERS.secrets).catch((error: unknown) => {
        if (!isAlreadyExists(error)) throw error;
      });
    },
    async noteKey(name: string, remembers: Remembered): Promise<void> {
      const object = read.get(name);
      if (object === undefined) throw new Error('the plan notes a key that was not read');
      const annotations = { ...object.metadata.annotations, ...notesOf(remembers) };
      const noted = { ...object, metadata: { ...object.metadata, annotations } };
      await env.client.replace(KINDS.secret, noted, MANAGERS.secrets).catch((error: unknown) => {
        // Deleted meanwhile: the next look says so.
        if (!isNotFound(error)) throw error;
      });
    },
    async deleteKey(name: string): Promise<void> {
      const object = await env.client.get(KINDS.secret, { namespace, name: names.keySecret(name) });
      if (object !== undefined) await deleteSecret({ env }, object);
    },
  };
}

function notesOf({ state, expiredTs }: Remembered): Record<string, string> {
  return { [STATE_ANNOTATION]: state, ...(expiredTs === undefined ? {} : { [EXPIRED_ANNOTATION]: String(expiredTs) }) };
}

function storedKey(object: KubeObject): StoredKey | UnreadableKey {
  const key = readKeySecret(object['data']);
  if ('unreadable' in key) return key;
  const { [STATE_ANNOTATION]: state, [EXPIRED_ANNOTATION]: end } = object.metadata.annotations ?? {};
  return { ...key, remembers: readRemembered(state, end) };
}

async function readBrought(
  { env, owner, homeserver }: StepContext,
  name: string,
): Promise<SigningKey | UnreadableKey | undefined> {
  const { namespace } = owner;
  const ref = homeserver.spec.signingKeys.keys.find((key) => key.name === name)?.secretRef;
  if (ref === undefined) return undefined;
  const secret = await readSecret(env.client, { namespace, name: ref.name });
  const text = secret?.values[ref.key];
  if (text !== undefined) return readSigningKeyFile(text);
  const what = secret === undefined ? 'is missing' : `lacks the key ${ref.key}`;
  return { unreadable: `Secret ${namespace}/${ref.name} ${what}; create it`, reason: 'SecretMissing' };
}

function keyringOf({ env, owner, names }: StepContext): Pick<KeyStore, 'readKeyring' | 'writeKeyring'> {
  let keyring: KubeObject | undefined;
  let isLookedFor = false;
  return {
    async readKeyring(): Promise<string | undefined> {
      // What is absent stays so for the rest of a run: writing it makes sure that nobody else was faster.
      if (isLookedFor && keyring === undefined) return undefined;
      isLookedFor = true;
      const found = await readSecret(env.client, { namespace: owner.namespace, name: names.keyringSecret });
      keyring = found?.object;
      return found?.values['keyring.json'];
    },
    async writeKeyring(text: string): Promise<void> {
      const manifest = keyringSecret(owner, text);
      if (keyring === undefined) {
        keyring = await env.client.create(KINDS.secret, manifest, MANAGERS.secrets);
        return;
      }
      const { resourceVersion, uid } = keyring.metadata;
      const guarded = { ...manifest, metadata: { ...manifest.metadata, resourceVersion, uid } };
      keyring = await env.client.replace(KINDS.secret, guarded, MANAGERS.secrets);
    },
  };
}
