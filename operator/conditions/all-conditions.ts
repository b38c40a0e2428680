import { available } from './available.ts';
import { backupReady } from './backup-ready.ts';
import { databaseReady } from './database-ready.ts';
import { exposed } from './exposed.ts';
import { integrationsReady } from './integrations-ready.ts';
import type { ConditionResult, Observed } from './observed.ts';
import { federationVerified } from './federation-verified.ts';
import { mediaReady } from './media-ready.ts';
import { paused } from './paused.ts';
import { ready } from './ready.ts';
import { reconciling } from './reconciling.ts';
import { rollbackPossible } from './rollback-possible.ts';
import { schemaReady } from './schema-ready.ts';
import { secretsReady } from './secrets-ready.ts';
import { signingKeysReady } from './signing-keys-ready.ts';
import { stalled } from './stalled.ts';
import { upgradeAvailable } from './upgrade-available.ts';
import { workloadReady } from './workload-ready.ts';

/** Every condition of a resource that is not paused, Ready first. */
export function allConditions(observed: Observed): ConditionResult[] {
  return [
    ready(observed),
    reconciling(observed),
    stalled(observed),
    available(observed),
    paused(false),
    databaseReady(observed),
    secretsReady(observed),
    signingKeysReady(observed),
    schemaReady(observed),
    workloadReady(observed),
    exposed(observed),
    integrationsReady(observed),
    federationVerified(observed),
    ...(observed.media === undefined ? [] : [mediaReady(observed.media)]),
    ...(observed.backup === undefined ? [] : [backupReady(observed.backup)]),
    rollbackPossible(observed),
    upgradeAvailable(observed),
  ];
}
