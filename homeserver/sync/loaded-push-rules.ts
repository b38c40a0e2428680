import type { CompiledPushRules, PushVerdict } from '../room/push-evaluator.ts';
import type { PushRuleset } from '../room/push-rules.ts';

/** A user's push rules as they stand. */
export class LoadedPushRules {
  /** Position of their last change; 0: there was none. */
  readonly position: number;
  readonly ruleset: PushRuleset;
  readonly compiled: CompiledPushRules;
  /** Memory that they take, about. */
  readonly bytes: number;
  /** What they said of kinds of events; see `judgeEvents`. */
  readonly judged = new Map<string, PushVerdict | undefined>();
  #text: string | undefined;

  constructor(rules: Pick<LoadedPushRules, 'position' | 'ruleset' | 'compiled' | 'bytes'>) {
    this.position = rules.position;
    this.ruleset = rules.ruleset;
    this.compiled = rules.compiled;
    this.bytes = rules.bytes;
  }

  /** Content of m.push_rules as JSON text. */
  get text(): string {
    this.#text ??= JSON.stringify({ global: this.ruleset });
    return this.#text;
  }
}
