import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../run-command.ts';

export interface CertificateRequest {
  /** File name without ending: `<name>.crt` and `<name>.key`. */
  name: string;
  commonName: string;
  /** The group for Kubernetes. */
  organization?: string;
  /** `DNS:…` and `IP:…` of a server. */
  alternativeNames?: readonly string[];
}

/** A credential as PEM text. */
export interface ClientCredential {
  ca: string;
  cert: string;
  key: string;
}

/** Makes a new authority, its certificates (good for 10 years) and the key pair that signs service account tokens. */
export async function issueCertificates(dir: string, requests: readonly CertificateRequest[]): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const subject = ['-subj', '/CN=matrix-operator-test-ca'];
  const uses = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature'];
  const files = ['-keyout', join(dir, 'ca.key'), '-out', join(dir, 'ca.crt')];
  await runCommand('openssl', ['req', '-x509', '-days', '3650', ...newKey, ...subject, ...uses, ...files]);
  await Promise.all(requests.map((request) => issue(dir, request)));
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const privateKey = pair.privateKey.export({ type: 'sec1', format: 'pem' });
  await writeFile(join(dir, 'service-account.key'), privateKey, { mode: 0o600 });
  await writeFile(join(dir, 'service-account.pub'), pair.publicKey.export({ type: 'spki', format: 'pem' }));
}

/** Reads an issued client certificate with its key and authority. */
export async function readCredential(dir: string, name: string): Promise<ClientCredential> {
  const read = (file: string): Promise<string> => readFile(join(dir, file), 'utf8');
  return { ca: await read('ca.crt'), cert: await read(`${name}.crt`), key: await read(`${name}.key`) };
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function issue(dir: string, request: CertificateRequest): Promise<void> {
  const path = (ending: string): string => join(dir, `${request.name}.${ending}`);
  await runCommand('openssl', [
    'req',
    '-new',
    ...newKey,
    ...['-subj', subjectOf(request)],
    ...['-keyout', path('key'), '-out', path('csr')],
  ]);
  await writeFile(path('ext'), extensions(request));
  await runCommand('openssl', [
    ...['x509', '-req', '-days', '3650', '-in', path('csr'), '-out', path('crt'), '-extfile', path('ext')],
    ...['-CA', join(dir, 'ca.crt'), '-CAkey', join(dir, 'ca.key'), '-set_serial', serialOf(request.name)],
  ]);
}

export function subjectOf({ organization, commonName }: CertificateRequest): string {
  return `${organization === undefined ? '' : `/O=${organization}`}/CN=${commonName}`;
}

/** The extension section of one certificate, in the words of openssl. */
export function extensions({ alternativeNames }: CertificateRequest): string {
  const lines = ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=clientAuth,serverAuth'];
  if (alternativeNames !== undefined) lines.push(`subjectAltName=${alternativeNames.join(',')}`);
  return `${lines.join('\n')}\n`;
}

/** Serial numbers only have to differ within one authority, and the names in it do. */
function serialOf(name: string): string {
  return `0x${Buffer.from(name).toString('hex').slice(0, 38)}`;
}
