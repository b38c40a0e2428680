/* The direction of imports. A folder may import only folders listed before it in its product. */
const homeserver = [
  'contract',
  'room',
  'storage',
  'outbound',
  'object-store',
  'federation',
  'pipeline',
  'rooms',
  'accounts',
  'devices',
  'media',
  'calls',
  'sync',
  'workers',
  'http',
  'backup',
  'config',
  'commands',
];
const operator = [
  'api',
  'resources',
  'conditions',
  'runtime',
  'federation-check',
  'database',
  'signing-keys',
  'upgrades',
  'reconcile',
  'plugin',
];

const unitTest = '\\.test\\.ts$';
const error = (name, from, to) => ({ name, severity: 'error', from, to });

const downwards = (product, order) =>
  order.slice(0, -1).map((folder, i) =>
    error(
      `${product}/${folder} imports only what stands above it`,
      { path: `^${product}/${folder}/` },
      {
        path: `^${product}/(${order
          .slice(i + 1)
          .map((name) => `${name}/`)
          .join('|')}|main\\.ts$)`,
      },
    ),
  );

module.exports = {
  forbidden: [
    ...downwards('homeserver', homeserver),
    ...downwards('operator', operator),
    error('no cycles', {}, { circular: true }),
    error('homeserver never imports the operator', { path: '^homeserver/' }, { path: '^operator/' }),
    error(
      'the operator sees only the contract, and the JSON of the Matrix protocol',
      { path: '^operator/', pathNot: unitTest },
      { path: '^homeserver/(?!contract/|room/(canonical-json|json-value|strict-json)\\.ts$)' },
    ),
    error('products never import tests', { path: '^(homeserver|operator)/', pathNot: unitTest }, { path: '^test/' }),
    error(
      'room is pure',
      { path: '^homeserver/room/', pathNot: unitTest },
      { pathNot: '^homeserver/room/|^(node:)?crypto$' },
    ),
    error(
      'contract is pure',
      { path: '^homeserver/contract/', pathNot: unitTest },
      { pathNot: '^homeserver/contract/|node_modules/zod/|^(node:)?crypto$' },
    ),
    error(
      'builders and conditions are pure',
      { path: '^operator/(resources|conditions)/', pathNot: unitTest },
      { pathNot: '^operator/(resources|conditions|api)/|^homeserver/contract/|^(node:)?crypto$' },
    ),
    error(
      'texts of the plugin are pure',
      { path: '^operator/plugin/text/', pathNot: unitTest },
      { pathNot: '^operator/(api|resources|plugin/text)/|^homeserver/contract/|node_modules/yaml/' },
    ),
    error('plans do no I/O', { path: '/plan-[^/]+\\.ts$', pathNot: unitTest }, { dependencyTypes: ['core', 'npm'] }),
    error(
      'the runtime knows no Matrix',
      { path: '^operator/runtime/', pathNot: unitTest },
      { path: '^(operator/(?!runtime/|errors\\.ts|log\\.ts|metrics\\.ts)|homeserver/)' },
    ),
    error(
      'registries import nothing of ours',
      { path: '^(homeserver|operator)/(errors|log|metrics)\\.ts$' },
      { path: '^(homeserver|operator)/' },
    ),
    error(
      'SQL only in storage and database',
      { pathNot: '^(homeserver/storage|operator/database|test)/' },
      { path: 'node_modules/(pg|pg-[^/]+|@types/pg)/' },
    ),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
