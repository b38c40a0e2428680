import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import * as z from 'zod';
import type { Session } from './traffic.ts';

const Account = z.looseObject({ user_id: z.string(), access_token: z.string() });
const Room = z.looseObject({ room_id: z.string() });
const Page = z.looseObject({
  chunk: z.array(z.looseObject({ event_id: z.string(), type: z.string() })),
  end: z.string().optional(),
});

/** One request of the client-server API; rejects with the answer's text unless it is 200. */
export async function call(
  url: string,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
  token?: string,
): Promise<unknown> {
  const answer = await request(`${url}/_matrix/client/v3${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
    headersTimeout: 20_000,
    bodyTimeout: 20_000,
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 300)}`);
  const json: unknown = JSON.parse(text);
  return json;
}

/** A new account and a room of its own, for traffic. */
export async function newSession(url: string): Promise<Session & { userId: string; password: string }> {
  const username = `e2e_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('base64url');
  const account = Account.parse(
    await call(url, 'POST', '/register', { username, password, auth: { type: 'm.login.dummy' } }),
  );
  const room = Room.parse(await call(url, 'POST', '/createRoom', { preset: 'private_chat' }, account.access_token));
  return { url, token: account.access_token, roomId: room.room_id, userId: account.user_id, password };
}

/** The access token that this user id and password give. */
export async function logIn(url: string, userId: string, password: string): Promise<string> {
  const identifier = { type: 'm.id.user', user: userId };
  const body = { type: 'm.login.password', identifier, password };
  return Account.parse(await call(url, 'POST', '/login', body)).access_token;
}

/** Ids of all messages of the room, oldest first. */
export async function history(session: Session): Promise<string[]> {
  const ids: string[] = [];
  let from = '';
  for (let page = 0; page < 500; page += 1) {
    const path = `/rooms/${encodeURIComponent(session.roomId)}/messages?dir=b&limit=100${from === '' ? '' : `&from=${from}`}`;
    const answer = Page.parse(await call(session.url, 'GET', path, undefined, session.token));
    ids.push(...answer.chunk.filter((e) => e.type === 'm.room.message').map((e) => e.event_id));
    if (answer.end === undefined || answer.chunk.length === 0) return ids.reverse();
    from = answer.end;
  }
  throw new Error(`the history of ${session.roomId} has no end`);
}
