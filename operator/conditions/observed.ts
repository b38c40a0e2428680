import type { FederationFailure } from '../api/federation-status.ts';
import type { Reason } from '../api/reasons.ts';

/** Parts of the work that gate Ready, in the order in which a failure is reported. */
export const GATES = [
  'resolve',
  'secrets',
  'database',
  'keys',
  'schema',
  'workload',
  'verify',
  'exposure',
  'integrations',
] as const;

export type Gate = (typeof GATES)[number];

/** What came of one part. `waiting` goes on by itself; `blocked` needs a person; `skipped` waits for another part. */
export type GateReport =
  | { readonly state: 'done'; readonly message: string }
  | { readonly state: 'waiting' | 'blocked'; readonly reason: Reason; readonly message: string }
  | { readonly state: 'skipped'; readonly message: string };

/** What is known of the server as others see it; it gates nothing. */
export type FederationReport =
  /** Nobody looks, and why. */
  | { readonly state: 'off'; readonly message: string }
  /** Nobody has looked yet. */
  | { readonly state: 'pending' }
  /** Looked at before this process began; the condition stays as it was. */
  | { readonly state: 'kept'; readonly condition: ConditionResult }
  | {
      readonly state: 'seen';
      readonly kind: FederationFailure | 'KeysMatch';
      readonly vantage: string;
      readonly delegatedTo: string | undefined;
    };
/** Where one could go from the version that is deployed. */
export interface ObservedVersions {
  readonly current: string;
  /** Newest version of the catalogue, if it is newer. */
  readonly available: string | undefined;
  /** Older versions that could run on the database, newest first. */
  readonly rollbackTo: readonly string[];
  /** Whether the catalogue has an older version at all. */
  readonly hasOlder: boolean;
  /** RFC 3339; when the older ones are left behind, if that is planned. */
  readonly contractAt: string | undefined;
}

/** What is known of the backups of a resource that wants them. Times in Unix ms. */
export interface BackupFacts {
  readonly schedule: string;
  readonly lastSuccess: number | undefined;
  readonly lastFailure: number | undefined;
  /** Id of the last good one. */
  readonly latestId: string | undefined;
  readonly now: number;
  /** Why the CronJob or the spare database is not as it should be. */
  readonly fault: FailingReport | undefined;
  /** Undefined: none are wanted. */
  readonly drill: DrillFacts | undefined;
}

/** What is known of restore drills. Times in Unix ms. */
export interface DrillFacts {
  readonly schedule: string;
  readonly lastSuccess: number | undefined;
  /** The last that failed, and why. */
  readonly lastFailure: { readonly at: number; readonly message: string } | undefined;
  /** Since when they are wanted; undefined when that is not known yet. */
  readonly since: number | undefined;
}

/** What replicas say of the bucket for files. */
export type MediaReport =
  | { readonly state: 'usable' }
  /** The field to look at, what was tried, and what came of it. */
  | { readonly state: 'unusable'; readonly problem: string }
  | { readonly state: 'unknown'; readonly because: string };

/** Everything that conditions are made from. */
export interface Observed {
  readonly replicas: number;
  readonly readyReplicas: number;
  /** Version of the pods that are wanted now; undefined when it cannot be told. */
  readonly version: string | undefined;
  /** Undefined while the database cannot be looked at. */
  readonly versions: ObservedVersions | undefined;
  readonly gates: Readonly<Record<Gate, GateReport>>;
  /** True when the first failing gate has been failing for a transient reason for 10 minutes. */
  readonly overdue: boolean;
  readonly federation: FederationReport;
  /** Undefined: no backups are wanted. */
  readonly backup: BackupFacts | undefined;
  /** Undefined: files do not lie in a bucket. */
  readonly media: MediaReport | undefined;
}

/** A condition without times and generation; `merge` adds them. */
export interface ConditionResult {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Reason;
  readonly message: string;
}

export type FailingReport = Extract<GateReport, { reason: Reason }>;

export function isFailing(report: GateReport): report is FailingReport {
  return report.state === 'waiting' || report.state === 'blocked';
}

/** The first gate that is not done for a reason of its own. */
export function firstFailing(observed: Pick<Observed, 'gates'>): { gate: Gate; report: FailingReport } | undefined {
  for (const gate of GATES) {
    const report = observed.gates[gate];
    if (isFailing(report)) return { gate, report };
  }
  return undefined;
}

/** True when no gate is failing or skipped. */
export function allDone(observed: Pick<Observed, 'gates'>): boolean {
  return GATES.every((gate) => observed.gates[gate].state === 'done');
}
