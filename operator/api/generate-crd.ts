import { stringify } from 'yaml';
import { GROUP, KIND, PLURAL, SCHEMA_PARTS } from './matrix-homeserver.ts';
import { nameRules, structuralSchema } from './structural-schema.ts';

const ready = (field: string) => `.status.conditions[?(@.type=="Ready")].${field}`;
const column = (name: string, type: string, jsonPath: string, priority = 0) => ({ name, type, jsonPath, priority });

const COLUMNS = [
  column('Server Name', 'string', '.spec.serverName'),
  column('Version', 'string', '.status.version.current'),
  column('Replicas', 'integer', '.status.readyReplicas'),
  column('Ready', 'string', ready('status')),
  column('Status', 'string', ready('reason')),
  column('Age', 'date', '.metadata.creationTimestamp'),
  column('Target', 'string', '.status.version.target', 1),
  column('Schema', 'integer', '.status.schema.version', 1),
  column('Database', 'string', '.status.database.name', 1),
  column('Key', 'string', '.status.signingKeys[?(@.state=="Active")].keyID', 1),
  column('Federation', 'string', '.status.conditions[?(@.type=="FederationVerified")].status', 1),
  column('Last Backup', 'date', '.status.backup.lastSuccessTime', 1),
  column('Message', 'string', ready('message'), 1),
];

function rootSchema() {
  return {
    type: 'object',
    description: 'A Matrix homeserver: database, secrets, signing keys, migrations and equal replicas.',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of this schema.' },
      kind: { type: 'string', description: 'Kind of this object.' },
      metadata: { type: 'object' },
      spec: structuralSchema(SCHEMA_PARTS.spec),
      status: structuralSchema(SCHEMA_PARTS.status),
    },
    ...nameRules,
  };
}

/** The CustomResourceDefinition as an object. */
export function buildCrd() {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ['mhs'],
        categories: ['matrix'],
      },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          additionalPrinterColumns: COLUMNS,
          selectableFields: [{ jsonPath: '.spec.serverName' }],
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  };
}

/**
 * The CustomResourceDefinition as YAML without anchors, the same bytes for the same schema. Helm and kubectl read YAML 1.1,
 * which takes Off without quotes for false.
 */
export function crdYaml(): string {
  return stringify(buildCrd(), { aliasDuplicateObjects: false, lineWidth: 120, compat: 'yaml-1.1' });
}
