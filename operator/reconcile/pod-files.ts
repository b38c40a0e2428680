import type { TurnSpec } from '../api/turn-spec.ts';
import { mediaClaimName } from '../resources/media-claim.ts';
import type { PodFiles } from '../resources/pod-template.ts';
import { TURN_SECRET_KEY } from '../resources/turn-config.ts';
import { keyedDigest } from './digest.ts';
import type { Secrets } from './ensure-secrets.ts';
import type { References } from './resolve-references.ts';
import type { StepContext } from './step.ts';

/** Which objects the pods mount. */
export function podFiles(ctx: StepContext, configMap: string, { tls }: References): PodFiles {
  const { homeserver, names } = ctx;
  const { database, secretsRef, configSecretRefs, integrations } = homeserver.spec;
  return {
    configMap,
    databaseSecret: database.existing?.secretRef.name ?? names.databaseSecret,
    authority: authorityOf(ctx, tls),
    appSecret: secretsRef?.name ?? names.appSecret,
    keyringSecret: names.keyringSecret,
    extraSecrets: configSecretRefs?.map(({ name }) => name),
    turnSecret: turnSecretOf(integrations?.turn, names.turn),
    ...mediaFiles(ctx),
  };
}

function turnSecretOf(turn: TurnSpec | undefined, managedName: string): PodFiles['turnSecret'] {
  if (turn?.managed !== undefined) return { secret: managedName, key: TURN_SECRET_KEY };
  const ref = turn?.external?.secretRef;
  return ref === undefined ? undefined : { secret: ref.name, key: ref.key };
}

function mediaFiles({ owner, homeserver }: StepContext): Pick<PodFiles, 'mediaClaim' | 'mediaCredentials'> {
  const { media } = homeserver.spec;
  return { mediaClaim: mediaClaimName(owner, media), mediaCredentials: media?.s3?.credentialsSecretRef?.name };
}

function authorityOf({ homeserver, names }: StepContext, tls: References['tls']): PodFiles['authority'] {
  const { serverRef, tls: wanted } = homeserver.spec.database;
  if (serverRef !== undefined) {
    return tls.caCertificate === undefined ? undefined : { secret: names.databaseSecret, key: 'ca.crt' };
  }
  const ref = wanted.caSecretRef;
  return ref === undefined ? undefined : { secret: ref.name, key: ref.key };
}

/** Digest of everything secret that pods read at their start; the keyring is watched by them and is left out. */
export function secretsChecksum({ references, access, app }: Secrets): string {
  const { existing, tls, extra } = references;
  const database =
    existing === undefined
      ? Object.entries(access.secret.values)
      : [existing.host, String(existing.port), existing.database, existing.username, existing.password];
  const parts = [...database.flat(), tls.caCertificate ?? '', ...Object.entries(app).flat(), ...extra];
  return keyedDigest(app['form-key'] ?? '', parts);
}
