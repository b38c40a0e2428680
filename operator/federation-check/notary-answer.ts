import type { JsonObject, JsonValue } from '../../homeserver/room/json-value.ts';
import { isJsonObject, ownMember, ownString } from '../../homeserver/room/json-value.ts';
import type { KeyAnswer } from './key-answer.ts';
import { readKeyAnswer } from './key-answer.ts';

const MAX_ANSWERS = 32;

/**
 * The freshest valid answer of ours among those a notary holds; it may keep several. Each must carry our own signature: the
 * notary's word alone is no proof. Spec: server-server API, "Querying Keys Through Another Server".
 */
export function readNotaryAnswer(
  answer: JsonObject | undefined,
  expected: { readonly serverName: string; readonly now: number },
): KeyAnswer {
  const list = answers(answer);
  if (list === undefined) return { ok: false, kind: 'Malformed' };
  const read = list
    .slice(0, MAX_ANSWERS)
    .filter(isJsonObject)
    .filter((one) => ownString(one, 'server_name') === expected.serverName)
    .map((one) => readKeyAnswer(one, expected));
  const valid = read.filter((one) => one.ok).toSorted((a, b) => b.validUntil - a.validUntil);
  return valid[0] ?? read[0] ?? { ok: false, kind: 'NoKeys' };
}

function answers(answer: JsonObject | undefined): readonly JsonValue[] | undefined {
  const list: unknown = answer === undefined ? undefined : ownMember(answer, 'server_keys');
  return isArray(list) ? list : undefined;
}

/** Only for parts of a JSON value. */
function isArray(value: unknown): value is readonly JsonValue[] {
  return Array.isArray(value);
}
