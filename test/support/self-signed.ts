import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A self-signed certificate and its key, PEM. */
export interface SelfSigned {
  cert: string;
  key: string;
}

/** Made once by the machine's openssl and kept in `folder`: other servers may pin it. */
export async function selfSignedIdentity(folder: string, serverName: string): Promise<SelfSigned> {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const host = serverName.replace(/:[0-9]+$/, '').replace(/^\[|\]$/g, '');
  const name = /^[0-9.]+$/.test(host) || host.includes(':') ? `IP:${host}` : `DNS:${host}`;
  const known = await readBoth(cert, key);
  if (known !== undefined) return known;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3650'];
  const subject = [
    '-subj',
    '/CN=matrix-operator development',
    '-addext',
    `subjectAltName=${name},DNS:localhost,IP:127.0.0.1`,
  ];
  try {
    await run('openssl', [...request, '-keyout', key, '-out', cert, ...subject], { timeout: 30_000 });
  } catch (cause) {
    throw new Error('--federation-port needs the openssl program to make a certificate', { cause });
  }
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
}

async function readBoth(cert: string, key: string): Promise<SelfSigned | undefined> {
  try {
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
  } catch {
    return undefined;
  }
}
