import { stringify } from 'yaml';

/** YAML for kubectl and Helm, which read YAML 1.1: there Off and yes without quotes are no texts. No anchors. */
export function toYaml(value: unknown): string {
  return stringify(value, { compat: 'yaml-1.1', aliasDuplicateObjects: false, lineWidth: 120 });
}
