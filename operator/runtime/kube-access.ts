import type { Access } from './access.ts';
import { serviceAccountAccess } from './service-account-access.ts';

export interface AccessSource {
  /** The present credentials, at most 10 s old, or read again when `fresh` (after a 401). */
  current(fresh?: boolean): Promise<Access>;
}

const REFRESH_MS = 10_000;

/** Reads a kubeconfig file, or the pod's service account when none is named. */
export function openAccess(kubeconfig: string | undefined, context: string | undefined): AccessSource {
  if (kubeconfig === undefined) return cached(() => serviceAccountAccess());
  // Loaded only where a kubeconfig is read: in a pod the package would cost 29 MB of memory for nothing (2026-11, Node 24).
  let open: Promise<() => Promise<Access>> | undefined;
  return cached(async () => {
    open ??= import('./kubeconfig-access.ts').then(({ kubeconfigAccess }) => kubeconfigAccess(kubeconfig, context));
    return (await open)();
  });
}

/** Token files change behind our back (about hourly); reading them for each request would be a file read a request. */
function cached(read: () => Promise<Access>): AccessSource {
  let last: { at: number; access: Promise<Access> } | undefined;
  return {
    current(fresh = false) {
      const now = performance.now();
      if (last !== undefined && !fresh && now - last.at < REFRESH_MS) return last.access;
      const access = read();
      last = { at: now, access };
      access.catch(() => (last = undefined));
      return access;
    },
  };
}
