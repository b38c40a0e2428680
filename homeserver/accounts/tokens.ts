import { hash, randomBytes, randomInt } from 'node:crypto';

const DEVICE_ID_LENGTH = 10;
const LOCALPART_LENGTH = 12;

/** A fresh access token: 256 random bits. Only its hash is stored. */
export function newAccessToken(): string {
  return randomBytes(32).toString('base64url');
}

/** As hex: a buffer costs five times as much as the hash itself. */
export function hashToken(token: string): string {
  return hash('sha256', token, 'hex');
}

export function newDeviceId(): string {
  return randomText('ABCDEFGHIJKLMNOPQRSTUVWXYZ', DEVICE_ID_LENGTH);
}

/** For a registration that names no user. */
export function newLocalpart(): string {
  return randomText('abcdefghijklmnopqrstuvwxyz', LOCALPART_LENGTH);
}

/** Id of an interactive authentication: 144 random bits. */
export function newSessionId(): string {
  return randomBytes(18).toString('base64url');
}

function randomText(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
}
