import { expect, test } from 'vitest';
import { HomeserverConfig } from '../../homeserver/contract/config-schema.ts';
import { FederationSpec } from '../api/federation-spec.ts';
import { DatabaseSpec } from '../api/database-spec.ts';
import { MediaSpec } from '../api/media-spec.ts';
import { renderConfig } from './homeserver-config.ts';

const federation = FederationSpec.parse(undefined);
const database = DatabaseSpec.parse({ existing: { secretRef: { name: 'x' } }, poolSize: 20 });

test('the rendered file is a valid configuration that holds what the user set and what the operator decides', () => {
  const rendered = renderConfig({
    serverName: 'example.org',
    config: { rooms: { defaultVersion: '11' } },
    database,
    federation,
  });
  expect(rendered.ok && HomeserverConfig.parse(JSON.parse(rendered.yaml))).toMatchObject({
    serverName: 'example.org',
    rooms: { defaultVersion: '11' },
    database: { tlsMode: 'VerifyFull', poolSize: 20 },
  });
});

test('the order in which people write settings does not matter', () => {
  const one = renderConfig({
    serverName: 'example.org',
    config: { logLevel: 'warn', sync: { timelineLimit: 5 } },
    database,
    federation,
  });
  const two = renderConfig({
    serverName: 'example.org',
    config: { sync: { timelineLimit: 5 }, logLevel: 'warn' },
    database,
    federation,
  });
  expect(one).toEqual(two);
});

const refusals = [
  { name: 'an unknown setting', config: { colour: 'red' }, words: 'colour' },
  { name: 'a wrong value', config: { rooms: { defaultVersion: '13' } }, words: 'spec.config.rooms.defaultVersion' },
  { name: 'a setting of the operator', config: { database: {} }, words: 'may not set database' },
  { name: 'more than 64 KiB', config: { note: 'x'.repeat(65_536) }, words: 'at most 65536 bytes' },
  {
    name: 'a part of TURN without a server',
    config: { turn: { uris: ['turn:a'] } },
    words: 'spec.config.turn.secretFile',
  },
];

test.for(refusals)('$name is refused by its path', ({ config, words }) => {
  const rendered = renderConfig({ serverName: 'example.org', config, database, federation });
  expect(rendered.ok ? '' : rendered.message).toContain(words);
});

test('a refusal never repeats a value: it may be a secret in the wrong place', () => {
  const rendered = renderConfig({ serverName: 'example.org', config: { logLevel: 'hunter2' }, database, federation });
  expect(rendered.ok ? '' : rendered.message).not.toContain('hunter2');
});

const credentialsSecretRef = { name: 'media-s3' };
const places = [
  { name: 'a volume', media: { persistentVolumeClaim: {} }, is: { directory: '/var/lib/homeserver/media' } },
  {
    name: 'a bucket',
    media: {
      s3: { bucket: 'files', endpoint: 'http://s3:9000', prefix: 'a/', forcePathStyle: true, credentialsSecretRef },
    },
    is: {
      s3: {
        bucket: 'files',
        region: 'us-east-1',
        endpoint: 'http://s3:9000',
        prefix: 'a/',
        forcePathStyle: true,
        credentialsDirectory: '/etc/homeserver/media/s3',
      },
    },
  },
  {
    name: 'a bucket by the identity of the pods',
    media: { s3: { bucket: 'files', region: 'eu-central-1' } },
    is: { s3: { bucket: 'files', region: 'eu-central-1' } },
  },
];

test.for(places)('files in $name', ({ media, is }) => {
  const rendered = renderConfig({ serverName: 'example.org', database, federation, media: MediaSpec.parse(media) });
  expect(rendered.ok && JSON.parse(rendered.yaml)).toMatchObject({ media: is });
  expect(rendered.ok && rendered.yaml).not.toContain('Secret');
});

const external = { uris: ['turn:turn.example.org'], secretRef: { name: 'turn', key: 'secret' } };
const calls = [
  {
    name: 'what the operator says of TURN and RTC',
    config: {},
    is: {
      turn: { uris: ['turn:turn.example.org'], secretFile: '/etc/homeserver/turn/secret' },
      rtc: { livekitServiceUrl: 'https://rtc.example.org' },
    },
  },
  {
    name: 'one key of the user, laid over the rest',
    config: { turn: { credentialLifetimeSeconds: 600 } },
    is: {
      turn: {
        uris: ['turn:turn.example.org'],
        secretFile: '/etc/homeserver/turn/secret',
        credentialLifetimeSeconds: 600,
      },
    },
  },
  {
    name: 'other addresses of the user, with the secret of the operator',
    config: { turn: { uris: ['turns:other.example.org:443'] } },
    is: { turn: { uris: ['turns:other.example.org:443'], secretFile: '/etc/homeserver/turn/secret' } },
  },
];

test.for(calls)('calls: $name', ({ config, is }) => {
  const rtc = { external: { url: 'https://rtc.example.org' } };
  const integrations = { turn: { external }, rtc };
  const rendered = renderConfig({ serverName: 'example.org', config, database, federation, integrations });
  const parsed: unknown = rendered.ok ? JSON.parse(rendered.yaml) : rendered;
  expect(parsed).toMatchObject(is);
  expect(HomeserverConfig.safeParse(parsed).success).toBe(true);
});

test('federation is written only where it is off, so that nothing restarts for a default', () => {
  const text = (mode: 'Enabled' | 'Disabled') => {
    const rendered = renderConfig({ serverName: 'example.org', database, federation: { ...federation, mode } });
    return rendered.ok ? rendered.yaml : '';
  };
  expect(text('Enabled')).not.toContain('federation');
  expect(HomeserverConfig.parse(JSON.parse(text('Disabled'))).federation.mode).toBe('Disabled');
});
