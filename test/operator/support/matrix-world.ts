import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { signJson, signingKeyFromSeed } from '../../../homeserver/room/event-signature.ts';
import { parseServerName } from '../../../homeserver/room/identifiers.ts';
import type { JsonObject } from '../../../homeserver/room/json-value.ts';
import type { SrvRecord } from '../../../operator/federation-check/discovery.ts';
import type { Dns } from '../../../operator/federation-check/dns.ts';
import { selfSignedIdentity } from '../../support/self-signed.ts';

export type TestKey = ReturnType<typeof signingKeyFromSeed>;

/** The key with that id whose seed is 32 times the byte. */
export const testKey = (id: string, byte: number): TestKey =>
  signingKeyFromSeed(`ed25519:${id}`, Buffer.alloc(32, byte));

/** What a homeserver answers to GET /_matrix/key/v2/server, signed by all its keys. */
export function keyDocument(serverName: string, keys: readonly TestKey[], more: JsonObject = {}): JsonObject {
  const name = parseServerName(serverName);
  if (name === undefined) throw new Error(`${serverName} is no server name`);
  const verifyKeys = Object.fromEntries(keys.map(({ keyId, publicKeyBase64: key }) => [keyId, { key }]));
  const unsigned = {
    server_name: serverName,
    valid_until_ts: Date.now() + 3_600_000,
    verify_keys: verifyKeys,
    ...more,
  };
  return keys.reduce<JsonObject>((sofar, key) => signJson(sofar, name, key), unsigned);
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface WorldServer {
  readonly port: number;
  /** Certificate in PEM; it is its own authority. */
  readonly cert: string;
  /** `GET name path sni` of every request. */
  readonly requests: string[];
  handle: Handler;
}

/** TLS servers on loopback, and the DNS that leads to them. */
export interface MatrixWorld {
  /** By host name; every question is noted in `asked`. */
  readonly hosts: Map<string, readonly string[]>;
  readonly services: Map<string, readonly SrvRecord[]>;
  readonly asked: string[];
  readonly dns: () => Dns;
  serve(certificateFor: string, handle: Handler): Promise<WorldServer>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<MatrixWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'matrix-operator-world-'));
  const servers: Server[] = [];
  const hosts = new Map<string, readonly string[]>();
  const services = new Map<string, readonly SrvRecord[]>();
  const asked: string[] = [];
  const dns: Dns = {
    addresses: (host) => (asked.push(host), Promise.resolve(hosts.get(host) ?? [])),
    srv: (name) => (asked.push(name), Promise.resolve(services.get(name) ?? [])),
  };
  return {
    hosts,
    services,
    asked,
    dns: () => dns,
    async serve(certificateFor, handle) {
      const identity = await selfSignedIdentity(join(folder, String(servers.length)), certificateFor);
      const requests: string[] = [];
      const shown: WorldServer = { port: 0, cert: identity.cert, requests, handle };
      const server = createServer(identity, (request, response) => {
        const { servername } = request.socket as TLSSocket & { servername?: string | false };
        requests.push(`${request.method} ${request.headers.host} ${request.url} ${servername || '-'}`);
        shown.handle(request, response);
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('the server has no port');
      return Object.assign(shown, { port: address.port });
    },
    async close() {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Answers with JSON. */
export const json =
  (body: unknown, status = 200): Handler =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

/** Answers by path; everything else is 404. */
export const paths =
  (table: Readonly<Record<string, Handler>>): Handler =>
  (request, response) => {
    const handle = table[request.url ?? ''];
    if (handle === undefined) response.writeHead(404).end();
    else handle(request, response);
  };
