import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import { MAX_PROFILE_SECONDS } from './cpu-profile.ts';

const DEFAULT_PROFILE_SECONDS = 10;

export interface HealthOptions {
  readonly host: string;
  readonly port: number;
  /** What is wrong; an empty list is healthy. */
  readonly live: () => readonly string[];
  readonly ready: () => readonly string[];
  readonly metrics: () => Promise<{ contentType: string; text: string }>;
  /** Makes a CPU profile of so many seconds; absent: nobody may ask for one. */
  readonly profile?: ((seconds: number) => Promise<string>) | undefined;
}

export interface HealthServer {
  /** The port in use (other than asked for when that was 0). */
  readonly port: number;
  close(): Promise<void>;
}

/** Serves /livez, /readyz and /metrics, and /debug/profile if wanted, on one port. Rejects when the port cannot be had. */
export async function startHealthServer(given: HealthOptions): Promise<HealthServer> {
  const options = { ...given, profile: oneAtATime(given.profile) };
  const server = createServer((request, response) => {
    answer(options, request.url ?? '', response).catch((error: unknown) => {
      send(response, 500, 'text/plain', `${error instanceof Error ? error.message : 'failed'}\n`);
    });
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 5000;
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return { port: portOf(server, options.port), close: () => close(server) };
}

async function answer(options: HealthOptions, url: string, response: ServerResponse): Promise<void> {
  const path = url.split('?', 1)[0];
  if (path === '/livez') return sendProblems(response, options.live());
  if (path === '/readyz') return sendProblems(response, options.ready());
  if (path === '/debug/profile' && options.profile !== undefined) return sendProfile(options.profile, url, response);
  if (path !== '/metrics') return send(response, 404, 'text/plain', 'not found: /livez, /readyz, /metrics\n');
  const { contentType, text } = await options.metrics();
  send(response, 200, contentType, text);
}

const BUSY = 'busy';
type Profile = (seconds: number) => Promise<string>;

/** V8 has one profiler for the whole process. */
function oneAtATime(profile: Profile | undefined): Profile | undefined {
  if (profile === undefined) return undefined;
  let isBusy = false;
  return async (seconds) => {
    if (isBusy) return BUSY;
    isBusy = true;
    return profile(seconds).finally(() => {
      isBusy = false;
    });
  };
}

async function sendProfile(profile: Profile, url: string, response: ServerResponse): Promise<void> {
  const seconds = Number(new URL(url, 'http://localhost').searchParams.get('seconds') ?? DEFAULT_PROFILE_SECONDS);
  if (!(seconds > 0 && seconds <= MAX_PROFILE_SECONDS)) {
    return send(response, 400, 'text/plain', `seconds: above 0, at most ${MAX_PROFILE_SECONDS}\n`);
  }
  const text = await profile(seconds);
  if (text === BUSY) return send(response, 503, 'text/plain', 'a profile is being made\n');
  send(response, 200, 'application/json', text);
}

function sendProblems(response: ServerResponse, problems: readonly string[]): void {
  const text = problems.length === 0 ? 'ok' : problems.join('\n');
  send(response, problems.length === 0 ? 200 : 503, 'text/plain', `${text}\n`);
}

function send(response: ServerResponse, status: number, contentType: string, text: string): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': contentType }).end(text);
}

function portOf(server: Server, asked: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : asked;
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve, reject) => server.close((error) => (error === undefined ? resolve() : reject(error))));
}
