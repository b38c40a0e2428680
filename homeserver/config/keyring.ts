import { readFile } from 'node:fs/promises';
import { background } from '../log.ts';
import type { Logger } from '../log.ts';
import type { PublishedKeyring } from '../http/server-server/key-response.ts';
import { KeyringError, parseKeyring } from './parse-keyring.ts';
import type { KeySet } from './parse-keyring.ts';

/**
 * How often the file is read again, ms. Reading 1 kB costs nothing, and unlike a watch it sees through the symbolic links by which
 * Kubernetes exchanges a mounted Secret.
 */
const LOOK_EVERY_MS = 2000;

export interface KeyringOptions {
  file: string;
  serverName: string;
  log: Logger;
  /** For tests: how often to look, ms. */
  everyMs?: number;
}

/**
 * The signing keys of a file that may be replaced at any time: a good new one is used from then on, a bad one is logged and the
 * keys stay as they were. Rejects with KeyringError when there is no usable file at the start; keys are never made here.
 */
export async function loadKeyring(options: KeyringOptions): Promise<PublishedKeyring> {
  const text = await readKeyring(options.file);
  return new WatchedKeyring(options, text, parseKeyring(text, options.file, options.serverName));
}

async function readKeyring(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new KeyringError(file, cause instanceof Error ? cause.message : 'not readable');
  }
}

class WatchedKeyring implements PublishedKeyring {
  readonly serverName: KeySet['serverName'];
  readonly #options: KeyringOptions;
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #text: string;
  #keys: KeySet;
  #looking = false;

  constructor(options: KeyringOptions, text: string, keys: KeySet) {
    this.serverName = keys.serverName;
    this.#options = options;
    this.#text = text;
    this.#keys = keys;
    this.#timer = setInterval(() => {
      if (!this.#looking) background(this.#look(), options.log, 'read the keyring');
    }, options.everyMs ?? LOOK_EVERY_MS);
    this.#timer.unref();
  }

  get generation(): number {
    return this.#keys.generation;
  }

  get validitySeconds(): number {
    return this.#keys.validitySeconds;
  }

  active(): KeySet['active'] {
    return this.#keys.active;
  }

  signing(): KeySet['signing'] {
    return this.#keys.signing;
  }

  verifyKeys(): KeySet['verify'] {
    return this.#keys.verify;
  }

  oldKeys(): KeySet['old'] {
    return this.#keys.old;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    this.#looking = true;
    try {
      const text = await readKeyring(this.#options.file);
      if (text !== this.#text) this.#adopt(text);
    } finally {
      this.#looking = false;
    }
  }

  #adopt(text: string): void {
    const { file, serverName, log } = this.#options;
    // Remembered even when it is bad, so that one bad file is one line in the log.
    this.#text = text;
    try {
      this.#keys = parseKeyring(text, file, serverName);
    } catch (err) {
      log.error({ err, step: 'read the keyring' }, 'the new keyring is ignored, the old keys stay');
      return;
    }
    log.info({ generation: this.#keys.generation, step: 'read the keyring' }, 'keyring replaced');
    for (const listener of this.#listeners) listener();
  }
}
