import { connect } from './connect.ts';
import type { DatabaseLogin, OpenSession, Session, SessionKeeper } from './connect.ts';
import { createLeftSessions, isSameLogin } from './left-sessions.ts';
import { createSessionSlots } from './session-slots.ts';
import type { Turn } from './session-slots.ts';

/** In all more than the workers can use: a server that hangs takes no place from those who need another one. */
const slots = createSessionSlots({ perServer: 8, total: 256, waitMs: 30_000, suspectMs: 15_000 });
const left = createLeftSessions();

/**
 * Opens a session, runs `work`, closes it; or runs it in the session that the login's keeper has. At most 8 sessions to one
 * server; waits up to 30 s for a turn. Errors: as `connect`.
 */
export function withSession<T>(login: DatabaseLogin, work: (session: Session) => Promise<T>): Promise<T> {
  if (login.keeper !== undefined) return login.keeper.use(login, work);
  return withTurn(login, () => openSession(login, work));
}

async function withTurn<T>(login: DatabaseLogin, work: () => Promise<T>): Promise<T> {
  const turn = await slots.take(serverOf(login), 1);
  try {
    return await work();
  } finally {
    turn.release(1);
  }
}

/** As `withSession`, inside a turn that the caller has. */
export async function openSession<T>(login: DatabaseLogin, work: (session: Session) => Promise<T>): Promise<T> {
  if (login.keeper !== undefined) return login.keeper.use(login, work);
  const open = await logIn(login);
  try {
    return await work(open.session);
  } finally {
    await open.end();
  }
}

/**
 * Runs `work` in a session of an administrator, with room for one session of a tenant beside it: the keeper's, where there
 * is one. Under load the session is left to the next who waits for the server with the same login, without any lock.
 */
export async function withAdminSession<T>(
  admin: DatabaseLogin,
  keeper: TenantSession | undefined,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  // Whoever waits must hold no place, or all could wait for each other.
  await keeper?.end();
  const turn = await slots.take(serverOf(admin), 2);
  const run = () => openShared(admin, work);
  try {
    return keeper === undefined ? await run() : await keeper.within(turn, run);
  } finally {
    turn.release(keeper?.isOpen === true ? 1 : 2);
  }
}

async function openShared<T>(login: DatabaseLogin, work: (session: Session) => Promise<T>): Promise<T> {
  const open = left.take(login) ?? { ...(await logIn(login)), since: performance.now() };
  let isLeft = false;
  try {
    const result = await work(open.session);
    isLeft = slots.isAwaited(serverOf(login)) && (await left.leave(login, open));
    return result;
  } finally {
    if (!isLeft) await open.end();
  }
}

/** The session of one run of the reconciler with a tenant's database. */
export interface TenantSession extends SessionKeeper {
  readonly isOpen: boolean;
  /** Runs `work`, in which the session is opened with a place of this turn; it keeps the place as long as it is open. */
  within<T>(turn: Turn, work: () => Promise<T>): Promise<T>;
  /** Logs out; the next use logs in again. Never rejects. */
  end(): Promise<void>;
}

export function createTenantSession(): TenantSession {
  return new KeptSession();
}

class KeptSession implements TenantSession {
  #open: { readonly login: DatabaseLogin; readonly session: OpenSession } | undefined;
  /** Where the session has its place. */
  #turn: Turn | undefined;
  #isLent = false;

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  async use<T>(login: DatabaseLogin, work: (session: Session) => Promise<T>): Promise<T> {
    const { session } = await this.#openFor(login);
    try {
      return await work(session);
    } catch (error) {
      // It may be broken, or in the middle of something.
      await this.#logOut();
      throw error;
    }
  }

  async within<T>(turn: Turn, work: () => Promise<T>): Promise<T> {
    this.#turn = turn;
    this.#isLent = true;
    try {
      return await work();
    } finally {
      this.#isLent = false;
      if (this.#open === undefined) this.#turn = undefined;
    }
  }

  end(): Promise<void> {
    return this.#logOut();
  }

  async #openFor(login: DatabaseLogin): Promise<OpenSession> {
    if (this.#open !== undefined && isSameLogin(this.#open.login, login)) return this.#open.session;
    await this.#logOut();
    this.#turn ??= await slots.take(serverOf(login), 1);
    try {
      const session = await logIn(login);
      this.#open = { login, session };
      return session;
    } finally {
      if (this.#open === undefined) this.#giveBack();
    }
  }

  async #logOut(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.session.end();
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#isLent) return;
    this.#turn?.release(1);
    this.#turn = undefined;
  }
}

function logIn(login: DatabaseLogin): Promise<OpenSession> {
  return connect(login, (answers) => slots.report(serverOf(login), answers));
}

function serverOf({ host, port }: DatabaseLogin): string {
  return `${host}:${port}`;
}
