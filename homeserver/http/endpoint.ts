import type { z } from 'zod';
import type { JsonText } from '../sync/json-text.ts';
import type { LargeRead } from '../sync/large-reads.ts';
import type { EndSignal } from '../end-signal.ts';
import type { UserId } from '../room/identifiers.ts';

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Who may call: `none`, or a user with an access token. */
export type EndpointAuth = 'none' | 'user';

/** The caller, from the access token. */
export interface Requester {
  userId: UserId;
  userNo: number;
  deviceId: string;
  deviceNo: number;
  /** SHA-256 of the access token, hex. */
  tokenHash: string;
}

/** Which of the configured limits counts the request; `requestsPerUser` when nothing finer fits. */
export type RateLimitName =
  | 'loginPerAddress'
  | 'registrationPerAddress'
  | 'messagesPerUser'
  | 'roomCreationPerUser'
  | 'joinsPerUser'
  | 'invitesPerUser'
  | 'requestsPerUser';

type Parsed<S extends z.ZodType | undefined> = S extends z.ZodType ? z.output<S> : undefined;

/** What a handler gets: everything parsed, nothing raw. */
export interface EndpointRequest<
  Auth extends EndpointAuth,
  P extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  B extends z.ZodType | undefined,
> {
  requester: Auth extends 'user' ? Requester : undefined;
  params: Parsed<P>;
  query: Parsed<Q>;
  body: Parsed<B>;
  /** The caller's network address, with trusted proxies taken off. */
  address: string;
  /** Fires when the client hangs up or the server drains: long polls must answer at once. */
  signal: EndSignal;
  /** The part of this request in what all large answers may take together. */
  large: LargeRead;
}

/** An answer whose JSON text is ready (events are spliced, never serialised again). */
export class RawJson {
  readonly text: JsonText;
  constructor(text: JsonText) {
    this.text = text;
  }
}

/** An answer with another status than 200, such as the 401 that asks for the next stage of interactive authentication. */
export class StatusAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    this.status = status;
    this.body = body;
  }
}

export interface EndpointDefinition<
  App,
  Auth extends EndpointAuth,
  P extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  B extends z.ZodType | undefined,
> {
  /** operationId of the specification's OpenAPI data; also the file's name. */
  operationId: string;
  /** Another operation that the specification has under the same method and path. */
  alsoServes?: string;
  method: HttpMethod;
  /** Path with `:name` parameters, in the newest version that the specification names. */
  path: string;
  /** Older or deprecated paths that clients still use, same parameters. */
  aliases?: readonly string[];
  auth: Auth;
  rateLimit: RateLimitName | 'none';
  /** Whether who calls it is there and does something: moves the time of their last activity. Spec: "Last active ago". */
  showsActivity?: boolean;
  params?: P;
  query?: Q;
  body?: B;
  handle(app: App, request: EndpointRequest<Auth, P, Q, B>): Promise<unknown>;
}

/** Declares an endpoint; `routes.ts` lists them, `server.ts` serves them. */
export function endpoint<
  App,
  Auth extends EndpointAuth,
  P extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
>(definition: EndpointDefinition<App, Auth, P, Q, B>): EndpointDefinition<App, Auth, P, Q, B> {
  return definition;
}
