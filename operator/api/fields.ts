import * as z from 'zod';

/** Longest texts by kind; every string has a limit so that the API server can bound the cost of CEL rules. */
export const objectName = (what: string) =>
  z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
    .describe(what);

const dataKey = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[-._a-zA-Z0-9]+$/);

/** A Secret of the same namespace. */
export const SecretRef = (what: string) => z.object({ name: objectName('Name of the Secret.') }).describe(what);

/** One key of a Secret of the same namespace. */
export const SecretKeyRef = (what: string) =>
  z.object({ name: objectName('Name of the Secret.'), key: dataKey.describe('Key in the Secret.') }).describe(what);

/** Small map of texts, as labels, annotations and node selectors are. */
export const textMap = (what: string) => z.record(z.string().max(317), z.string().max(4096)).describe(what);

/** An object whose shape belongs to Kubernetes: the API server checks it when the child that carries it is applied. */
export const openObject = (what: string) => z.record(z.string(), z.unknown()).describe(what).meta({ open: true });
