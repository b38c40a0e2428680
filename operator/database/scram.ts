import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** PostgreSQL's own default; our passwords have 192 random bits, so more rounds would protect nothing. */
const ITERATIONS = 4096;

/**
 * What PostgreSQL stores instead of a password. Sent in its place, so that the password itself never crosses the wire,
 * a log or a statistics view. The password must be printable ASCII (no SASLprep is done).
 * Spec: RFC 5802, section 3; RFC 7677.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new RangeError('the password must be printable ASCII');
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const serverKey = hmac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
