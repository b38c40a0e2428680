import type { UpgradeStatus } from '../api/upgrade-status.ts';
import type { UpgradeDecision } from './decide-upgrade.ts';

/** How far the migrations of the phase are, by what the database notes; each file counts the same. */
export function migrationProgress({ phase, entry, facts }: UpgradeDecision): UpgradeStatus['progress'] {
  if ((phase !== 'Expanding' && phase !== 'Contracting') || entry === undefined) return undefined;
  const kind = phase === 'Expanding' ? 'expand' : 'contract';
  const files = entry.migrations.filter((file) => file.phase === kind);
  const noted = new Map(facts.migrations.map((migration) => [migration.name, migration]));
  const done = files.reduce((sum, { name }) => sum + fractionOf(noted.get(name)), 0);
  const running = files.find(({ name }) => noted.get(name)?.state === 'running');
  const percent = files.length === 0 ? 100 : Math.floor((100 * done) / files.length);
  return { phase, ...(running === undefined ? {} : { step: running.name }), percent };
}

function fractionOf(noted: UpgradeDecision['facts']['migrations'][number] | undefined): number {
  if (noted === undefined) return 0;
  if (noted.state === 'done') return 1;
  return noted.total > 0 ? Math.min(1, noted.done / noted.total) : 0;
}
