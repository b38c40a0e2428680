import { Readable, Writable } from 'node:stream';
// The files, not the package: a bundle then leaves out most of the generated API classes.
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { Exec } from '@kubernetes/client-node/dist/exec.js';
import * as z from 'zod';
import { readKubeconfig } from '../runtime/kubeconfig.ts';
import type { Cluster } from './cluster.ts';
import { PluginError } from './terminal.ts';

export interface ExecRequest {
  readonly pod: string;
  readonly container: string;
  /** Without a shell: images of ours have none. Never anything secret: it stands in the API server's audit log. */
  readonly command: readonly string[];
  /** What the command reads; the connection stays open behind it. */
  readonly input: string;
  readonly timeoutMs: number;
}

export interface ExecOutcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const Status = z.looseObject({
  status: z.string().optional(),
  message: z.string().optional(),
  details: z
    .looseObject({
      causes: z.array(z.looseObject({ reason: z.string().optional(), message: z.string().optional() })).optional(),
    })
    .nullish(),
});

const MAX_OUTPUT = 1024 * 1024;

/** Runs a command in a container that runs, over a WebSocket; rejects when the connection ends before the command. */
export async function execInPod(cluster: Cluster, request: ExecRequest): Promise<ExecOutcome> {
  const { pod, container, command, input, timeoutMs } = request;
  const [out, err] = [collector(), collector()];
  const ended = Promise.withResolvers<unknown>();
  const stdin = new Readable({ read: () => undefined });
  stdin.push(input);
  const late = setTimeout(
    () => ended.reject(new PluginError(`${pod} gave no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    const exec = new Exec(configOf(cluster));
    const opened: Promise<unknown> = exec
      .exec(cluster.namespace, pod, container, [...command], out.stream, err.stream, stdin, false, ended.resolve)
      .catch((error: unknown) => Promise.reject(refusal(pod, error)));
    const socket = await Promise.race([opened, ended.promise.then(() => opened)]);
    if (!isSocket(socket)) throw new TypeError('the client gave no WebSocket');
    socket.onclose = () => ended.reject(new PluginError(`the connection to ${pod} ended before the command did`));
    try {
      return { code: exitCode(Status.parse(await ended.promise)), out: out.text(), err: err.text() };
    } finally {
      socket.close();
    }
  } finally {
    clearTimeout(late);
    stdin.destroy();
  }
}

/** What is used of the WebSocket; the package's own types name a package that is not here. */
interface Socket {
  onclose: unknown;
  close(): void;
}

function isSocket(value: unknown): value is Socket {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function';
}

function configOf({ kubeconfig, context }: Cluster): KubeConfig {
  if (kubeconfig !== undefined) return readKubeconfig(kubeconfig, context);
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
}

/** The WebSocket library says only which HTTP status it got. */
function refusal(pod: string, error: unknown): PluginError {
  const { message } = z
    .looseObject({ message: z.string().catch('no connection') })
    .catch({ message: 'no connection' })
    .parse(error);
  const hint = message.includes('403')
    ? '; the right to get and create pods/exec is needed (docs/kubectl-plugin.md)'
    : '';
  return new PluginError(`no command can be run in ${pod}: ${message}${hint}`, { cause: error });
}

function exitCode({ status, message, details }: z.infer<typeof Status>): number {
  if (status === 'Success') return 0;
  const code = Number(details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message ?? Number.NaN);
  if (Number.isInteger(code)) return code;
  throw new PluginError(`the command could not be run: ${message ?? 'no reason given'}`);
}

/** Keeps what is written, up to a bound. */
function collector() {
  const chunks: Buffer[] = [];
  let size = 0;
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (size < MAX_OUTPUT) chunks.push(chunk);
      size += chunk.length;
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}
