import { setTimeout as pause } from 'node:timers/promises';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import { waitFor } from '../../support/wait-for.ts';
import { row, type Row } from '../support/rows.ts';
import { quantile } from '../support/stats.ts';
import { tell, type Fleet } from './fleet.ts';
import type { FleetOperator } from './operator.ts';
import { nameOf, type FleetWorld } from './world.ts';

/** 10 edits a second. */
const EDIT_EVERY_MS = 100;

let edits = 0;
/** The time from an edit of the spec, sent, to the NetworkPolicy that shows it, seen. An edit that is never seen counts as 120 s. */
export async function editFigures(
  { world, eyes, count, editSeconds }: Fleet,
  operator: FleetOperator,
  name: string,
): Promise<Row[]> {
  tell(name);
  const samples: number[] = [];
  const failures: unknown[] = [];
  const total = Math.round((editSeconds * 1000) / EDIT_EVERY_MS);
  const cpu = operator.cpuSeconds();
  for (let i = 0; i < total; i += 1) {
    edits += 1;
    const sent = performance.now();
    eyes.onEdit(nameOf(edits % count).name, edits, () => samples.push(performance.now() - sent));
    editSpec(world, edits % count, `edit-${edits}`).catch((error: unknown) => failures.push(error));
    await pause(EDIT_EVERY_MS);
  }
  const isDone = () => samples.length >= total - failures.length;
  await waitFor(isDone, { what: 'every edit to be seen', timeoutMs: 120_000 }).catch(() => undefined);
  if (failures.length > 0) throw new Error(`${failures.length} edits failed`, { cause: failures[0] });
  const unseen = Array.from({ length: total - samples.length }, () => 120_000);
  const all = [...samples, ...unseen];
  return [
    row(`${name}, P50`, quantile(all, 0.5) / 1000, 's'),
    row(`${name}, P95`, quantile(all, 0.95) / 1000, 's', '<= 2'),
    row(`... CPU of the operator, an edit`, ((operator.cpuSeconds() - cpu) * 1000) / total, 'ms'),
  ];
}

async function editSpec({ client }: FleetWorld, index: number, text: string): Promise<void> {
  const { apiVersion, kind } = KINDS.homeserver;
  const ingressFrom = [{ podSelector: { matchLabels: { edit: text } } }];
  const manifest = { apiVersion, kind, metadata: nameOf(index), spec: { networkPolicy: { ingressFrom } } };
  await client.apply(KINDS.homeserver, manifest, 'bench-editor');
}
