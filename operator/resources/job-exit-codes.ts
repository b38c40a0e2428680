import { EXIT_CODES } from '../../homeserver/contract/exit-codes.ts';

/** Exit codes with which a second try of any Job is pointless. */
export const FINAL_EXIT_CODES: readonly number[] = [
  EXIT_CODES.badUsage,
  EXIT_CODES.configInvalid,
  EXIT_CODES.schemaUnfit,
  EXIT_CODES.wrongDatabase,
  EXIT_CODES.keyUnreadable,
];
