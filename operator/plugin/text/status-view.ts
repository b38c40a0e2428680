import type { MatrixHomeserver } from '../../api/matrix-homeserver.ts';
import type { Condition } from '../../api/status.ts';
import { nextSteps, styleOf } from './next-steps.ts';
import { printable } from './paint.ts';
import type { Paint } from './paint.ts';
import { columns } from './table.ts';
import type { Row } from './table.ts';
import { age, withDistance } from './times.ts';

/** Something that happened to a resource, as an Event tells it. */
export interface Happening {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  /** RFC 3339; empty if unknown. */
  readonly time: string;
}

export interface StatusView {
  readonly paint: Paint;
  /** Unix ms. */
  readonly now: number;
  /** Oldest first. */
  readonly events: readonly Happening[];
}

/** One resource: a shortened `kubectl describe` that ends with what to do next. */
export function statusView(homeserver: MatrixHomeserver, view: StatusView): string[] {
  const { metadata, spec } = homeserver;
  const { paint } = view;
  const part = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', paint('strong', title), ...lines];
  const steps = nextSteps(homeserver);
  const next = steps.length === 0 ? ['  Nothing is needed.'] : steps.map((step) => `  - ${printable(step)}`);
  return [
    `${paint('strong', `${metadata.namespace}/${metadata.name}`)}  ${spec.serverName}`,
    ...columns(facts(homeserver, view.now), paint, '  '),
    ...part('Signing keys', columns(keyRows(homeserver, view.now), paint, '  ')),
    ...part('Conditions', columns(conditionRows(homeserver.status.conditions), paint, '  ')),
    ...part('Events', columns(eventRows(view), paint, '  ')),
    ...part('Next steps', next),
  ];
}

function facts(homeserver: MatrixHomeserver, now: number): Row[] {
  const { spec, status } = homeserver;
  const { client = '', federation = '', elementWeb = '' } = status.endpoints ?? {};
  const rows: (readonly [string, string])[] = [
    ['Version', versionText(status.version)],
    ['Replicas', `${status.readyReplicas ?? 0} of ${spec.replicas} ready`],
    ['Database', databaseText(status)],
    ['Clients', client],
    ['Federation', federation],
    ['Element Web', elementWeb],
    ['Upgrade', upgradeText(status.upgrade, now)],
    ['Last backup', backupText(status.backup?.lastSuccessTime, now)],
  ];
  return rows.filter(([, value]) => value !== '').map(([name, value]) => [name, printable(value)]);
}

function databaseText({ database, schema }: MatrixHomeserver['status']): string {
  if (database === undefined) return '';
  const level = schema?.version === undefined ? '' : `, schema ${schema.version}`;
  return `${database.name ?? ''} on ${database.server ?? ''}${level}`;
}

function backupText(time: string | undefined, now: number): string {
  return time === undefined ? '' : withDistance(time, now);
}

function versionText(version: MatrixHomeserver['status']['version']): string {
  const { current = 'none yet', target, available } = version ?? {};
  const going = target === undefined || target === version?.current ? '' : `, becoming ${target}`;
  return `${current}${going}${available === undefined ? '' : ` (${available} is available)`}`;
}

function upgradeText(upgrade: MatrixHomeserver['status']['upgrade'], now: number): string {
  if (upgrade?.phase === undefined) return '';
  const { plan, progress, contractAt, phase } = upgrade;
  const path = plan === undefined ? '' : `, plan ${plan.id}, ${plan.from ?? 'nothing'} -> ${plan.to}`;
  const percent = progress === undefined ? '' : `, ${progress.percent} %`;
  const end = contractAt === undefined ? '' : `, contract at ${withDistance(contractAt, now)}`;
  return `${phase}${path}${percent}${end}`;
}

function keyRows({ status }: MatrixHomeserver, now: number): Row[] {
  return (status.signingKeys ?? []).map(({ name, keyID = '', state = '', since, expiredTS, nextTransitionTime }) => {
    const ended = expiredTS === undefined ? '' : `expired ${new Date(expiredTS).toISOString()}`;
    const began = since === undefined ? '' : `since ${since}`;
    const next = nextTransitionTime === undefined ? '' : `until ${withDistance(nextTransitionTime, now)}`;
    return [name, keyID, { text: state, style: state === 'Active' ? 'good' : undefined }, ended || began, next];
  });
}

/** What a reader looks for is there when it is good, too; the rest only when it is not. */
const ALWAYS = ['Ready', 'SchemaReady', 'RollbackPossible', 'FederationVerified', 'MediaReady', 'BackupReady'];
/** Said by Ready. */
const NEVER = ['Reconciling', 'Available'];

function conditionRows(conditions: readonly Condition[]): Row[] {
  const ready = conditions.find(({ type }) => type === 'Ready');
  const isSaid = ({ type, reason }: Condition) => type === 'Stalled' && reason === ready?.reason;
  return conditions
    .filter(
      (one) => !isSaid(one) && !NEVER.includes(one.type) && (ALWAYS.includes(one.type) || styleOf(one) !== 'good'),
    )
    .map((one) => [one.type, one.status, { text: one.reason, style: styleOf(one) }, printable(one.message)]);
}

function eventRows({ events, now }: StatusView): Row[] {
  return events.map(({ type, reason, message, time }) => [
    { text: type, style: type === 'Warning' ? 'bad' : undefined },
    reason,
    age(time, now),
    printable(message),
  ]);
}
