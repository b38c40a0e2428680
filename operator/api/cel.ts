/** One CEL rule of a CRD schema: refused with `message` where `rule` is false. */
export interface CelRule {
  rule: string;
  message: string;
  optionalOldSelf?: boolean;
}

/** Metadata that puts CEL rules on a field. */
export function rules(...list: CelRule[]): { 'x-kubernetes-validations': CelRule[] } {
  return { 'x-kubernetes-validations': list };
}

/** Metadata that makes a list one that server-side apply merges by the field `key`. */
export function mapList(key: string): Record<string, unknown> {
  return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] };
}

/** Rule for a required field that never changes. */
export const immutable = (name: string): CelRule => ({ rule: 'self == oldSelf', message: `${name} cannot be changed` });
