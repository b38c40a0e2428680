import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { ConcurrencyGate } from './concurrency-gate.ts';

interface Argon2Parameters {
  /** KiB. */
  memory: number;
  passes: number;
  parallelism: number;
}

/**
 * One of the settings for argon2id that OWASP's password storage cheat sheet calls equivalent: 12 MiB, three passes, one
 * lane. Of them 19 MiB and two passes take 33 ms of CPU, this one 24 and 9 MiB and four passes 21.
 */
const PARAMETERS: Argon2Parameters = { memory: 12_288, passes: 3, parallelism: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Longest password in UTF-16 units; longer ones are refused before any work is done. */
export const MAX_PASSWORD_LENGTH = 1024;

// node:crypto runs argon2 on the libuv pool (4 threads), so the event loop stays free; one place there is always left for
// name look-ups and files. 256 waiting at 25 ms each on two cores are about 3 s.
const gate = new ConcurrencyGate(Math.min(3, availableParallelism()), 256);

const PHC =
  /^\$argon2id\$v=19\$m=([0-9]{1,7}),t=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** argon2id in PHC string format, with a fresh salt. Errors: M_LIMIT_EXCEEDED when too many wait. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, PARAMETERS, HASH_BYTES);
  const { memory, passes, parallelism } = PARAMETERS;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(hash)}`;
}

/**
 * Whether the password fits the stored hash. Without a hash (unknown user, no password) it works as long and says no.
 * Errors: M_LIMIT_EXCEEDED when too many wait.
 */
export async function verifyPassword(password: string, stored: string | null | undefined): Promise<boolean> {
  const parts = PHC.exec(stored ?? NO_PASSWORD);
  if (parts === null) throw new Error('a stored password hash is not in the known PHC format');
  const [, memory, passes, parallelism, salt = '', hash = ''] = parts;
  const wanted = Buffer.from(hash, 'base64');
  const parameters = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  const found = await derive(password, Buffer.from(salt, 'base64'), parameters, wanted.length);
  return timingSafeEqual(found, wanted) && stored !== null && stored !== undefined;
}

/** What is checked when there is nothing to check: the present parameters, so that it takes the same time. */
const NO_PASSWORD = [
  '$argon2id$v=19$m=',
  `${PARAMETERS.memory},t=${PARAMETERS.passes},p=${PARAMETERS.parallelism}`,
  `$${unpadded(Buffer.alloc(SALT_BYTES))}$${unpadded(Buffer.alloc(HASH_BYTES))}`,
].join('');

function derive(password: string, salt: Buffer, parameters: Argon2Parameters, tagLength: number): Promise<Buffer> {
  const input = { ...parameters, message: password, nonce: salt, tagLength };
  return gate.run(
    () =>
      new Promise<Buffer>((resolve, reject) => {
        argon2('argon2id', input, (error, key) => {
          if (error === null) resolve(key);
          else reject(error);
        });
      }),
  );
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
