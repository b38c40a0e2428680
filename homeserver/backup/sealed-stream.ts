import { createCipheriv, createDecipheriv } from 'node:crypto';
import { BackupError } from './backup-error.ts';
import { cut } from './cut.ts';

const CIPHER = 'aes-256-gcm';
const FRAME_BYTES = 65_536;
const TAG_BYTES = 16;

/**
 * Encrypts a stream, frame by frame: each is AES-256-GCM over 64 KiB, followed by its tag. The nonce is the number of the
 * frame and whether it is the last one, so that no frame can be left out, moved or cut off without being noticed. The key
 * must be used for this stream alone.
 */
export async function* seal(source: AsyncIterable<Uint8Array>, key: Buffer): AsyncGenerator<Buffer> {
  let frame = 0;
  for await (const { bytes, isLast } of cut(source, FRAME_BYTES)) {
    const cipher = createCipheriv(CIPHER, key, nonceOf(frame, isLast));
    yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    frame += 1;
  }
}

/** The reverse of `seal`: gives out nothing that was not written with this key at this place. Throws BackupError. */
export async function* unseal(source: AsyncIterable<Uint8Array>, key: Buffer, what: string): AsyncGenerator<Buffer> {
  let frame = 0;
  for await (const { bytes, isLast } of cut(source, FRAME_BYTES + TAG_BYTES)) {
    yield openFrame(bytes, { key, nonce: nonceOf(frame, isLast), what });
    frame += 1;
  }
}

function openFrame(sealed: Buffer, { key, nonce, what }: { key: Buffer; nonce: Buffer; what: string }): Buffer {
  if (sealed.length < TAG_BYTES) throw notOurs(what);
  const decipher = createDecipheriv(CIPHER, key, nonce);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw notOurs(what);
  }
}

function notOurs(what: string): BackupError {
  return new BackupError(
    `${what} was not written with this encryption key, or was changed, cut off or put in another order`,
  );
}

function nonceOf(frame: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(frame, 4);
  nonce[8] = isLast ? 1 : 0;
  return nonce;
}
