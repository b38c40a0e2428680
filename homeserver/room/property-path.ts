import { isJsonObject, ownMember, type JsonObject, type JsonValue } from './json-value.ts';

/**
 * The names along a path such as `content.m\\.relates_to.rel_type`; a backslash before anything but a dot or a backslash is one.
 * Spec: Appendices, "Dot-separated property paths".
 */
export function parsePropertyPath(path: string): readonly string[] {
  const names: string[] = [];
  let name = '';
  for (let at = 0; at < path.length; at += 1) {
    const char = path.charAt(at);
    const next = path.charAt(at + 1);
    if (char === '.') {
      names.push(name);
      name = '';
    } else if (char === '\\' && (next === '.' || next === '\\')) {
      name += next;
      at += 1;
    } else {
      name += char;
    }
  }
  return [...names, name];
}

/** What stands at the end of a path; undefined when there is nothing. */
export function propertyAt(object: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = object;
  for (const name of path) {
    if (!isJsonObject(value)) return undefined;
    value = ownMember(value, name);
  }
  return value;
}
