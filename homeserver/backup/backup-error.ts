/** A backup that cannot be made, found or believed; the message says what is wrong with which part, and what to do. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}
