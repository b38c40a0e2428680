import * as z from 'zod';
import { rules } from './cel.ts';

/** A node of a CRD schema. */
export interface SchemaNode {
  type?: string | undefined;
  description?: string | undefined;
  properties?: Record<string, SchemaNode> | undefined;
  items?: SchemaNode | undefined;
  additionalProperties?: SchemaNode | undefined;
  required?: string[] | undefined;
  default?: unknown;
  [key: string]: unknown;
}

const Node = z.looseObject({
  type: z.string().optional(),
  description: z.string().optional(),
  get properties(): z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodType<SchemaNode>>> {
    return z.record(z.string(), Node).optional();
  },
  get items(): z.ZodOptional<z.ZodType<SchemaNode>> {
    return Node.optional();
  },
  get additionalProperties(): z.ZodOptional<z.ZodType<SchemaNode>> {
    return Node.optional();
  },
  required: z.array(z.string()).optional(),
});

const DROPPED = ['open', 'intOrString', '$schema', 'propertyNames', 'anyOf', 'additionalProperties'];

/** The structural schema (Kubernetes' dialect of OpenAPI 3) of what people write into `schema`. */
export function structuralSchema(schema: z.ZodType): SchemaNode {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    // A structural schema with properties is closed by pruning, not by this.
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  return convert(Node.parse(json));
}

function convert(node: SchemaNode): SchemaNode {
  if (node['open'] === true) return openNode(node);
  const kept = keptFields(node);
  if (node['intOrString'] === true) {
    delete kept.type;
    kept['x-kubernetes-int-or-string'] = true;
    return kept;
  }
  if (node.items !== undefined) kept.items = convert(node.items);
  if (node.properties !== undefined) kept.properties = convertAll(node.properties);
  else if (node.additionalProperties !== undefined) {
    kept.additionalProperties = convert(node.additionalProperties);
    kept['maxProperties'] = 64;
  }
  return kept;
}

function keptFields(node: SchemaNode): SchemaNode {
  const entries = Object.entries(node).filter(([key, value]) => !DROPPED.includes(key) && value !== undefined);
  const kept: SchemaNode = Object.fromEntries(entries);
  if (node['format'] === 'date-time') delete kept['pattern'];
  if (node.type === 'integer') kept['format'] = 'int64';
  dropWideLimits(kept);
  return kept;
}

function openNode(node: SchemaNode): SchemaNode {
  const kept: SchemaNode = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  if (node.description !== undefined) kept.description = node.description;
  return kept;
}

function convertAll(properties: Record<string, SchemaNode>): Record<string, SchemaNode> {
  return Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, convert(child)]));
}

/** zod writes the limits of safe integers where none is set; they say nothing to people. */
function dropWideLimits(node: SchemaNode): void {
  if (node['minimum'] === Number.MIN_SAFE_INTEGER) delete node['minimum'];
  if (node['maximum'] === Number.MAX_SAFE_INTEGER) delete node['maximum'];
}

/** Rules on the object as a whole: names of children are made from its name. */
export const nameRules = rules(
  { rule: 'self.metadata.name.size() <= 40', message: 'metadata.name may have at most 40 characters' },
  {
    rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message: 'metadata.name must start with a letter and hold only a-z, 0-9 and -',
  },
);
