import type { DatabaseLogin, OpenSession } from './connect.ts';

/** A session and when its login was, by `performance.now`. */
export interface AgedSession extends OpenSession {
  readonly since: number;
}

/** Sessions that one run has left for the next, for the moment in between. */
export interface LeftSessions {
  /** A session that was left for this login. Of another login's at this server one is closed: who asks will open one. */
  take(login: DatabaseLogin): AgedSession | undefined;
  /** Gives up all locks and leaves the session; false when it cannot go on. */
  leave(login: DatabaseLogin, open: AgedSession): Promise<boolean>;
}

interface Left {
  readonly login: DatabaseLogin;
  readonly open: AgedSession;
  readonly timer: NodeJS.Timeout;
}

/** Whoever it is left for is about to take it; it may have turned to something else. */
const LEFT_MS = 1000;
/** A session gathers what the server caches, and knows nothing of a login that was closed since. */
const MAX_AGE_MS = 60_000;

export function createLeftSessions(): LeftSessions {
  const left = new Set<Left>();
  const remove = (one: Left): AgedSession => {
    clearTimeout(one.timer);
    left.delete(one);
    return one.open;
  };
  return {
    take(login) {
      const here = [...left].filter((one) => isSameServer(one.login, login));
      const same = here.find((one) => isSameLogin(one.login, login));
      if (same !== undefined) return remove(same);
      const [other] = here;
      if (other !== undefined) close(remove(other));
      return undefined;
    },
    async leave(login, open) {
      if (performance.now() - open.since > MAX_AGE_MS) return false;
      try {
        await open.session.query('select pg_advisory_unlock_all()');
      } catch {
        return false;
      }
      const timer = setTimeout(() => close(remove(one)), LEFT_MS);
      const one: Left = { login, open, timer };
      left.add(one);
      return true;
    },
  };
}

function close(session: AgedSession): void {
  session.end().catch(() => undefined);
}

function isSameServer(one: DatabaseLogin, other: DatabaseLogin): boolean {
  return one.host === other.host && one.port === other.port;
}

/** Whether a session of one login will do for the other. */
export function isSameLogin(one: DatabaseLogin, other: DatabaseLogin): boolean {
  const { database, username, password, tls } = one;
  return (
    isSameServer(one, other) &&
    database === other.database &&
    username === other.username &&
    password === other.password &&
    tls.mode === other.tls.mode &&
    tls.caCertificate === other.tls.caCertificate
  );
}
