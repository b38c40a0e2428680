import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { parse, YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { HomeserverConfig } from '../contract/config-schema.ts';
import { MOUNTS } from '../contract/layout.ts';

/** A configuration that cannot be used; `problems` are lines of the form `path: what is wrong, what is allowed`. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(file: string, problems: readonly string[]) {
    super([`${file} cannot be used:`, ...problems.map((problem) => `  ${problem}`)].join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** The file to read when the command line names none: HOMESERVER_CONFIG, else the place where the operator mounts it. */
export function defaultConfigFile(): string {
  return process.env['HOMESERVER_CONFIG'] ?? MOUNTS.configFile;
}

/** Reads, checks and freezes `homeserver.yaml`. Rejects with ConfigError. */
export async function loadConfig(file: string): Promise<HomeserverConfig> {
  return parseConfig(await readText(file), file);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(file, [cause instanceof Error ? cause.message : 'not readable']);
  }
}

/** As `loadConfig`, from the file's text. */
export function parseConfig(text: string, file: string): HomeserverConfig {
  const result = HomeserverConfig.safeParse(parseYaml(text, file));
  if (!result.success) throw new ConfigError(file, result.error.issues.flatMap(describe));
  const proxies = result.data.trustedProxies.flatMap((proxy, i) =>
    isNetwork(proxy) ? [] : [`trustedProxies.${i}: an IP address, or one with /<bits>, is allowed`],
  );
  if (proxies.length > 0) throw new ConfigError(file, proxies);
  return deepFreeze(result.data);
}

/** An address, or a network as the address before it with the number of its leading bits. */
function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

function parseYaml(text: string, file: string): unknown {
  try {
    // An alias bomb is refused; one document only.
    return parse(text, { maxAliasCount: 100, prettyErrors: true });
  } catch (error) {
    if (error instanceof YAMLParseError || error instanceof ReferenceError)
      throw new ConfigError(file, [error.message]);
    throw error;
  }
}

function describe(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${path === '' ? key : `${path}.${key}`}: there is no such key`);
  }
  return [`${path === '' ? 'the file' : path}: ${issue.message}`];
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
