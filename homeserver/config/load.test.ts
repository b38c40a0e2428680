import { expect, test } from 'vitest';
import { ConfigError, parseConfig } from './load.ts';

function problemsOf(text: string): readonly string[] {
  try {
    parseConfig(text, 'homeserver.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('a server name alone is a whole configuration, and it cannot be changed later', () => {
  const config = parseConfig('serverName: example.org', 'homeserver.yaml');
  expect(config).toMatchObject({
    serverName: 'example.org',
    registration: { mode: 'Closed' },
    rateLimits: { enabled: true },
  });
  expect(Object.isFrozen(config) && Object.isFrozen(config.rateLimits.joinsPerUser)).toBe(true);
});

const wrong = [
  { name: 'nothing at all', text: '', problems: [/^the file: .*expected object/] },
  {
    name: 'a server name in capitals',
    text: 'serverName: Example.org',
    problems: [/^serverName: a lower-case host name/],
  },
  {
    name: 'a key that does not exist',
    text: 'serverName: example.org\nregistration: {open: true}',
    problems: [/^registration\.open: there is no such key$/],
  },
  {
    name: 'a value out of its range',
    text: 'serverName: example.org\ndatabase: {poolSize: 1}',
    problems: [/^database\.poolSize: .*>=4/],
  },
  {
    name: 'two faults at once',
    text: 'serverName: example.org\nlogLevel: loud\nrooms: {defaultVersion: 13}',
    problems: [/^rooms\.defaultVersion: .*"10"/, /^logLevel: .*"debug"/],
  },
  {
    name: 'a proxy that is no network',
    text: 'serverName: example.org\ntrustedProxies: [10.0.0.0/8, "2001:db8::/32", ::1, proxy.example, 10.0.0.0/33]',
    problems: [/^trustedProxies\.3: an IP address/, /^trustedProxies\.4: /],
  },
  {
    name: 'a place for files that is none, or two,',
    text: 'serverName: example.org\nmedia: {directory: /media, s3: {bucket: files}}',
    problems: [/^media: exactly one of directory and s3/],
  },
  {
    name: 'a bucket whose prefix ends anywhere',
    text: 'serverName: example.org\nmedia: {s3: {bucket: files, prefix: a}}',
    problems: [/^media\.s3\.prefix: /],
  },
  { name: 'text that is not YAML', text: 'serverName: [', problems: [/./] },
  { name: 'aliases that multiply', text: bomb(), problems: [/alias/i] },
];

test.for(wrong)('$name is refused with the path and what is allowed', ({ text, problems }) => {
  expect(problemsOf(text)).toEqual(problems.map((problem): unknown => expect.stringMatching(problem)));
});

function bomb(): string {
  const lines = Array.from({ length: 8 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}*a${i}]`);
  return ['a0: &a0 [x]', ...lines].join('\n');
}
