import * as z from 'zod';

const SERVER_NAME =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

/** A Matrix server name as one of ours may be: lower-case host, IPv4 or `[IPv6]`, optional port, at most 230 characters. */
export const ServerNameField = z
  .string()
  .min(1)
  .max(230)
  .regex(
    SERVER_NAME,
    'a lower-case host name, an IPv4 address or an [IPv6] address, with an optional :port, is allowed',
  );

/** The same rule as text, for CRD schemas. */
export const SERVER_NAME_PATTERN = SERVER_NAME.source;
