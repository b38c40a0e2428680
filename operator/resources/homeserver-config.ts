import { HomeserverConfig, OPERATOR_OWNED_KEYS, UserConfig } from '../../homeserver/contract/config-schema.ts';
import { MOUNTS } from '../../homeserver/contract/layout.ts';
import type { Spec } from '../api/matrix-homeserver.ts';
import type { MediaSpec } from '../api/media-spec.ts';
import { canonicalJson } from './canonical-json.ts';
import { exposureOf } from './exposure.ts';
import { turnUris } from './turn-config.ts';

/** It is rendered and hashed in every run, and each change of it is a ConfigMap more. */
const MAX_CONFIG_BYTES = 65_536;

/** `yaml` is the content of `homeserver.yaml`. */
export type RenderedConfig =
  | { readonly ok: true; readonly yaml: string }
  | { readonly ok: false; readonly message: string };

/**
 * The configuration file of the replicas: what the user set, laid under what the operator decides. Only what differs
 * from the homeserver's defaults is written, so that a new default needs no new file. JSON is YAML. `tlsMode` is that of
 * the server entry with `database.serverRef`, else the spec's.
 */
export function renderConfig(
  spec: Pick<Spec, 'serverName' | 'config' | 'database' | 'exposure' | 'federation' | 'media' | 'integrations'>,
  tlsMode: Spec['database']['tls']['mode'] = spec.database.tls.mode,
): RenderedConfig {
  const user = spec.config ?? {};
  const owned = OPERATOR_OWNED_KEYS.filter((key) => Object.hasOwn(user, key));
  if (owned.length > 0) {
    return { ok: false, message: `spec.config may not set ${owned.join(', ')}: the operator does. Remove it.` };
  }
  if (Buffer.byteLength(JSON.stringify(user)) > MAX_CONFIG_BYTES) {
    return { ok: false, message: `spec.config may have at most ${MAX_CONFIG_BYTES} bytes as JSON. Shorten it.` };
  }
  const checked = UserConfig.safeParse(user);
  if (!checked.success) return { ok: false, message: describeIssues(checked.error.issues) };
  const config = {
    ...publicNames(spec),
    ...user,
    ...calls(spec),
    serverName: spec.serverName,
    database: { directory: MOUNTS.database, tlsMode, poolSize: spec.database.poolSize },
    keyringFile: MOUNTS.keyringFile,
    appDirectory: MOUNTS.app,
    ...(spec.federation.mode === 'Enabled' ? {} : { federation: { mode: spec.federation.mode } }),
    ...(spec.media === undefined ? {} : { media: mediaPlace(spec.media) }),
  };
  const whole = HomeserverConfig.safeParse(config);
  if (!whole.success) return { ok: false, message: describeIssues(whole.error.issues) };
  return { ok: true, yaml: `${canonicalJson(config)}\n` };
}

/** Where the world reaches the server; a user whose proxy does it otherwise may say so in `config`. */
function publicNames(spec: Pick<Spec, 'serverName' | 'exposure'>) {
  const exposure = exposureOf(spec);
  return exposure === undefined ? {} : { publicBaseUrl: exposure.baseUrl, wellKnownServer: exposure.wellKnownServer };
}

/** Where files are kept. Credentials are read from where the pods mount them. */
function mediaPlace({ s3 }: MediaSpec) {
  if (s3 === undefined) return { directory: MOUNTS.media };
  const { forcePathStyle, credentialsSecretRef, ...location } = s3;
  return {
    s3: {
      ...location,
      ...(forcePathStyle ? { forcePathStyle } : {}),
      ...(credentialsSecretRef === undefined ? {} : { credentialsDirectory: MOUNTS.mediaCredentials }),
    },
  };
}

/** TURN and RTC servers; what a user says of them in `config` counts more, key by key. */
function calls({ integrations, config: user = {} }: Pick<Spec, 'integrations' | 'config'>) {
  const uris = turnUris(integrations?.turn);
  const rtc = integrations?.rtc?.external;
  return {
    ...(uris === undefined ? {} : { turn: { uris, secretFile: MOUNTS.turnSecretFile, ...asObject(user['turn']) } }),
    ...(rtc === undefined ? {} : { rtc: { livekitServiceUrl: rtc.url, ...asObject(user['rtc']) } }),
  };
}

/** The schema has made sure that it is one, if it is there. */
function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Says at most five faults by path; the values are left out, since a secret may have been put there by mistake. */
function describeIssues(issues: readonly Issue[]): string {
  const lines = issues
    .slice(0, 5)
    .map(({ path, message }) => `${['spec.config', ...path.map(String)].join('.')}: ${message}`);
  const more = issues.length > 5 ? ` and ${issues.length - 5} more` : '';
  return `${lines.join('; ')}${more}`;
}
