import type { ManagedTurn, TurnSpec } from '../api/turn-spec.ts';
import { NOT_PUBLIC_4, NOT_PUBLIC_6, rangeOf } from './special-networks.ts';

export const TURN_PORT = 3478;
export const TURNS_PORT = 5349;

/** Where the pod finds its files. */
export const TURN_FILES = { config: '/etc/turnserver/config', tls: '/etc/turnserver/tls', state: '/tmp' };
/** Key of the configuration in the Secret; the shared secret is beside it. */
export const TURN_CONFIG_KEY = 'turnserver.conf';
export const TURN_SECRET_KEY = 'secret';

/** All of IPv6 but 2000::/3, which alone is public. */
const OUTSIDE_PUBLIC_6 = ['::/3', '4000::/2', '8000::/1'];

/** Relays of one user: a client takes one for each URI and network, and a user may have several clients. */
const USER_QUOTA = 12;
/** Bytes a second of one relay, each way: more than a call with video takes, too little for much else. */
const BYTES_PER_SECOND = 1_000_000;
const NONCE_SECONDS = 600;

/** URIs that clients are told; undefined without TURN. */
export function turnUris(turn: TurnSpec | undefined): string[] | undefined {
  return turn?.managed === undefined ? turn?.external?.uris : managedUris(turn.managed);
}

function managedUris({ host, tlsSecretName }: ManagedTurn): string[] {
  const plain = ['udp', 'tcp'].map((transport) => `turn:${host}:${TURN_PORT}?transport=${transport}`);
  return tlsSecretName === undefined ? plain : [...plain, `turns:${host}:${TURNS_PORT}?transport=tcp`];
}

/** Of turnserver, without anything secret: the addresses, which only the node knows. */
export function turnArguments(externalIP: string): string[] {
  const own = '$(POD_IP)';
  return [
    '-c',
    `${TURN_FILES.config}/${TURN_CONFIG_KEY}`,
    `--listening-ip=${own}`,
    `--relay-ip=${own}`,
    `--external-ip=${externalIP}/${own}`,
  ];
}

/**
 * The configuration of coturn: credentials by the shared secret alone, relays of UDP only, and none to an address that is not
 * public, unless the spec allows its network. Two clients that both use a relay may speak to each other: coturn knows its own
 * public address for what it is.
 */
export function turnConfig(wanted: ManagedTurn, secret: string): string {
  const { host, relayPorts, tlsSecretName, allowedPeers = [], deniedPeers = [] } = wanted;
  const denied = [...NOT_PUBLIC_4, ...OUTSIDE_PUBLIC_6, ...NOT_PUBLIC_6, ...deniedPeers];
  const lines = [
    `listening-port=${TURN_PORT}`,
    `min-port=${relayPorts.min}`,
    `max-port=${relayPorts.max}`,
    `realm=${host}`,
    'use-auth-secret',
    `static-auth-secret=${secret}`,
    `stale-nonce=${NONCE_SECONDS}`,
    'fingerprint',
    `user-quota=${USER_QUOTA}`,
    `total-quota=${relayPorts.max - relayPorts.min + 1}`,
    `max-bps=${BYTES_PER_SECOND}`,
    ...tls(tlsSecretName !== undefined),
    'no-dtls',
    'no-tcp-relay',
    'no-cli',
    'no-rfc5780',
    'no-multicast-peers',
    ...allowedPeers.map((cidr) => `allowed-peer-ip=${rangeText(cidr)}`),
    ...denied.map((cidr) => `denied-peer-ip=${rangeText(cidr)}`),
    `userdb=${TURN_FILES.state}/turndb`,
    `pidfile=${TURN_FILES.state}/turnserver.pid`,
    'log-file=stdout',
  ];
  return `${lines.join('\n')}\n`;
}

function tls(isWanted: boolean): string[] {
  if (!isWanted) return ['no-tls'];
  const { tls: folder } = TURN_FILES;
  return [`tls-listening-port=${TURNS_PORT}`, `cert=${folder}/tls.crt`, `pkey=${folder}/tls.key`];
}

function rangeText(cidr: string): string {
  const { first, last } = rangeOf(cidr);
  return `${first}-${last}`;
}
