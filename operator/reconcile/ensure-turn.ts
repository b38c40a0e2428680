import type { ManagedTurn } from '../api/turn-spec.ts';
import type { Manifest } from '../resources/manifest.ts';
import { turnConfig } from '../resources/turn-config.ts';
import { turnNetworkPolicy } from '../resources/turn-network-policy.ts';
import { turnDeployment, turnService } from '../resources/turn-server.ts';
import { objectKey } from '../runtime/kube-object.ts';
import { keyedDigest } from './digest.ts';
import type { Child } from './ensure-children.ts';
import { ensureChildren } from './ensure-children.ts';
import { deleteTurnSecret, ensureTurnSecret, writeTurnConfig } from './ensure-turn-secret.ts';
import { OPENSHIFT_MARK, OWNED_KINDS } from './kinds.ts';
import { podsProblem } from './pods-problem.ts';
import { readKeys } from './resolve-references.ts';
import type { ServiceCopy } from './route-copies.ts';
import type { StepContext, StepResult, Waiting } from './step.ts';
import { done, waiting } from './step.ts';

/** How soon to look again at a Service without an address; the watch is usually faster. In ms. */
const ADDRESS_LOOK_MS = 30_000;

/** A TURN server of its own, where the spec wants one; the value says where TURN is, for people. */
export async function ensureTurn(ctx: StepContext): Promise<StepResult<string | undefined>> {
  const { turn } = ctx.homeserver.spec.integrations ?? {};
  if (turn?.managed !== undefined) return ensureManaged(ctx, turn.managed);
  await removeManaged(ctx);
  return done(turn?.external?.uris[0]);
}

/** The Secret first: that the Service is there tells that it may be too. */
async function removeManaged(ctx: StepContext): Promise<void> {
  await deleteTurnSecret(ctx, serviceOf(ctx)?.ownerUid === ctx.owner.uid);
  const kinds = [OWNED_KINDS.deployment, OWNED_KINDS.networkPolicy, OWNED_KINDS.service];
  await ensureChildren(
    ctx,
    kinds.map((kind) => ({ kind, name: ctx.names.turn, manifest: undefined })),
  );
}

async function ensureManaged(ctx: StepContext, wanted: ManagedTurn): Promise<StepResult<string>> {
  const { owner, names, homeserver } = ctx;
  const { mode } = homeserver.spec.networkPolicy;
  const child = (kind: Child['kind'], manifest: Manifest | undefined): Child => ({ kind, name: names.turn, manifest });
  await ensureChildren(ctx, [
    child(OWNED_KINDS.networkPolicy, turnNetworkPolicy(owner, wanted, mode)),
    child(OWNED_KINDS.service, turnService(owner, wanted)),
  ]);
  const checksum = await ensureConfig(ctx, wanted);
  const externalIP = wanted.externalIP ?? serviceOf(ctx)?.ip;
  if (externalIP === undefined) return noAddress(ctx);
  const userIsGiven = ctx.env.discovery.serves(OPENSHIFT_MARK);
  const manifest = turnDeployment({ owner, wanted, externalIP, checksum, userIsGiven });
  await ensureChildren(ctx, [child(OWNED_KINDS.deployment, manifest)]);
  return podsProblem(ctx, names.turn, 'the TURN server') ?? done(`${wanted.host} (${externalIP})`);
}

/** Secret and configuration; gives back the digest of all that the pod reads at its start. */
async function ensureConfig(ctx: StepContext, wanted: ManagedTurn): Promise<string> {
  const certificate = await readCertificate(ctx, wanted);
  const secret = await ensureTurnSecret(ctx);
  const config = turnConfig(wanted, secret.secret);
  await writeTurnConfig(ctx, secret, config);
  return keyedDigest(secret.secret, [config, ...certificate]);
}

/** Read so that a missing one is told, and a new one rolls the pod. */
async function readCertificate(ctx: StepContext, { tlsSecretName }: ManagedTurn): Promise<string[]> {
  if (tlsSecretName === undefined) return [];
  const values = await readKeys(ctx, tlsSecretName, ['tls.crt', 'tls.key']);
  return [values['tls.crt'] ?? '', values['tls.key'] ?? ''];
}

function serviceOf({ env, owner, names }: StepContext): ServiceCopy | undefined {
  return env.caches.services.get(objectKey({ namespace: owner.namespace, name: names.turn }));
}

function noAddress(ctx: StepContext): Waiting {
  const hostname = serviceOf(ctx)?.hostname;
  const what =
    hostname === undefined
      ? 'has no address yet: whoever makes load balancers in this cluster writes one into its status'
      : `has the host name ${hostname} and no IP address, which relays need`;
  const message = `Service ${ctx.names.turn} ${what}; or set integrations.turn.managed.externalIP`;
  return waiting('AddressPending', message, ADDRESS_LOOK_MS);
}
