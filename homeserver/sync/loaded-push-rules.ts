import type { CompiledPushRules } from '../room/push-evaluator.ts';
import type { PushRuleset } from '../room/push-rules.ts';

/** A user's push rules as they stand. */
export interface LoadedPushRules {
  /** Position of their last change; 0: there was none. */
  readonly position: number;
  readonly ruleset: PushRuleset;
  readonly compiled: CompiledPushRules;
  /** Memory that they take, about. */
  readonly bytes: number;
}
