import js from '@eslint/js';
import ts from 'typescript-eslint';

const PURE = [
  'homeserver/room/**/*.ts',
  'homeserver/contract/**/*.ts',
  'operator/resources/**/*.ts',
  'operator/conditions/**/*.ts',
  'operator/plugin/text/**/*.ts',
  '**/plan-*.ts',
];
const TESTS = ['test/**/*.ts', '**/*.test.ts', 'examples/**/*.ts'];

const constantSql = {
  selector: "Property[key.name='text'] > TemplateLiteral[expressions.length>0]",
  message: 'SQL is one constant text: pass values, never build text.',
};
/** Should the await fail, nobody listens to the promises before it, and an unheard one that fails ends the process. */
const lostPromises = {
  selector: ['AwaitExpression', 'CallExpression > AwaitExpression']
    .map((awaiting) => `CallExpression[callee.object.name='Promise'] > ArrayExpression > ${awaiting}`)
    .join(', '),
  message: 'Promises that are begun together are awaited together: put what awaits into a function of its own.',
};
const noClock = [
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: 'Pure code takes the time as an argument.',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'Pure code takes the time as an argument.',
  },
  {
    selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
    message: 'Pure code takes random bytes as an argument.',
  },
  { selector: ':function[async=true]', message: 'Pure code is synchronous.' },
];

const ownEnvironment = { object: 'process', property: 'env', message: 'Settings are read in config only.' };
const engineJson = {
  object: 'JSON',
  property: 'parse',
  message: 'The engine misreads names with escapes: use homeserver/room/strict-json.ts.',
};

const faults = {
  '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
  '@typescript-eslint/no-misused-promises': 'error',
  '@typescript-eslint/return-await': ['error', 'in-try-catch'],
  '@typescript-eslint/await-thenable': 'error',
  'no-async-promise-executor': 'error',
  '@typescript-eslint/no-explicit-any': 'error',
  '@typescript-eslint/no-unsafe-assignment': 'error',
  '@typescript-eslint/no-unsafe-member-access': 'error',
  '@typescript-eslint/no-unsafe-call': 'error',
  '@typescript-eslint/no-unsafe-return': 'error',
  '@typescript-eslint/no-unsafe-argument': 'error',
  '@typescript-eslint/no-non-null-assertion': 'error',
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { requireDefaultForNonUnion: true }],
  '@typescript-eslint/only-throw-error': 'error',
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
  '@typescript-eslint/require-array-sort-compare': ['error', { ignoreStringArrays: false }],
  '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
  '@typescript-eslint/consistent-type-imports': 'error',
  eqeqeq: 'error',
};

const size = {
  'max-lines': ['error', { max: 400 }],
  'max-lines-per-function': ['error', { max: 60 }],
  complexity: ['error', 10],
  'max-depth': ['error', 3],
  'max-params': ['error', 4],
};

export default ts.config(
  { ignores: ['node_modules', 'dist', '.cache', '.dev', 'charts', 'crds'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [ts.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      ...faults,
      ...size,
      'no-unused-vars': 'off',
      'no-undef': 'off',
      'no-redeclare': 'off',
      'no-console': 'error',
      'no-restricted-properties': ['error', ownEnvironment],
      'no-restricted-globals': ['error', { name: 'fetch', message: 'Outgoing requests are made in one place.' }],
      'no-restricted-syntax': ['error', constantSql, lostPromises],
    },
  },
  { files: PURE, ignores: TESTS, rules: { 'no-restricted-syntax': ['error', constantSql, lostPromises, ...noClock] } },
  {
    files: [
      'homeserver/config/**/*.ts',
      'operator/config.ts',
      'operator/plugin/settings.ts',
      'operator/runtime/service-account-access.ts',
    ],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: ['homeserver/{storage,pipeline,rooms,accounts,devices,sync}/**/*.ts'],
    ignores: TESTS,
    rules: { 'no-restricted-properties': ['error', ownEnvironment, engineJson] },
  },
  {
    files: TESTS,
    rules: {
      'max-lines-per-function': 'off',
      complexity: 'off',
      'max-params': 'off',
      'no-console': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-globals': 'off',
      'no-restricted-syntax': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.cjs'],
    languageOptions: { globals: { module: 'writable', process: 'readonly', URL: 'readonly' } },
  },
);
