/** Run as it stands by the documents test on an API server (stage) or on a real cluster. */
export interface RunHere {
  readonly on: 'stage' | 'cluster';
  /** What the reader fills in, and what only the reader has: text in the command -> text that is run. */
  readonly with?: Readonly<Record<string, string>>;
  /** What it has to write. */
  readonly writes?: RegExp;
  /** It goes on until it is ended; the command after it is tried meanwhile. */
  readonly goesOn?: true;
}

/** How a documented command is tried. */
export type CommandRun =
  | RunHere
  /** Run by a test of its own; `proof` is a text of that file that shows it. */
  | { readonly by: string; readonly proof: string }
  /** Not run by any test, and why. */
  | { readonly unrun: string };

const QUICKSTART = { NAMESPACE: 'quickstart', NAME: 'quickstart' };
const OPERATOR = { NAMESPACE: 'matrix-operator', RELEASE: 'matrix-operator' };
const S3_SECRET = {
  'accessKeyId=…': 'accessKeyId="$ACCESS_KEY_ID"',
  'secretAccessKey=…': 'secretAccessKey="$SECRET_ACCESS_KEY"',
};
const table: RunHere = { on: 'cluster', writes: /^NAMESPACE\s+NAME\s+SERVER NAME[\s\S]*^quickstart\s/m };
const ready: RunHere = { on: 'stage', writes: /condition met/ };
const stage: RunHere = { on: 'stage' };

/** Every command of every page for users. A test fails for one that is missing here, and for one that no page has. */
export const COMMAND_LEDGER: Readonly<Record<string, Readonly<Record<string, CommandRun>>>> = {
  'README.md': {
    'npm ci': { unrun: 'every test runs in what it made' },
    'npm start': { by: 'test/e2e/support/setup.ts', proof: "runCommand('npm', ['start'" },
    'kubectl get matrixhomeservers -A': table,
    'helm install matrix-operator charts/matrix-operator --namespace matrix-operator --create-namespace': {
      by: 'test/e2e/life.test.ts',
      proof: "install('README.md')",
    },
    'npm test': { unrun: 'it is what runs this' },
  },
  'docs/backup.md': {
    'kubectl matrix backup chat': { on: 'stage', writes: /complete/ },
    'kubectl create job --from=cronjob/chat-backup chat-backup-now': stage,
    'kubectl create job --from=cronjob/chat-drill chat-drill-now': stage,
    'homeserver drill   --config homeserver.yaml --directory /backups --encryption-key-file key --database spare': {
      by: 'test/homeserver/backup-commands.test.ts',
      proof: "run('drill'",
    },
    'kubectl matrix restore chat': { on: 'stage', writes: /bootstrap:\n +restore:/ },
    'homeserver backup  --config homeserver.yaml --directory /backups --encryption-key-file key --keep-last 14': {
      by: 'test/homeserver/backup-commands.test.ts',
      proof: "'--keep-last'",
    },
    'homeserver restore --config homeserver.yaml --directory /backups --encryption-key-file key': {
      by: 'test/homeserver/backup-commands.test.ts',
      proof: "'restore'",
    },
    'homeserver verify  --config homeserver.yaml --json': {
      by: 'test/homeserver/backup-commands.test.ts',
      proof: "'verify'",
    },
  },
  'docs/databases.md': {
    'kubectl -n NAMESPACE patch matrixhomeserver NAME --type=merge -p \'{"metadata":{"finalizers":null}}\'': {
      by: 'test/operator/example-shared-database.test.ts',
      proof: "(await block('sh')).replace('NAMESPACE', namespace)",
    },
  },
  'docs/kubectl-plugin.md': {
    'npm ci': { unrun: 'every test runs in what it made' },
    'npm run bundle': { on: 'cluster', writes: /dist\/plugin\/kubectl-matrix/ },
    'install -m 755 dist/plugin/kubectl-matrix /usr/local/bin/kubectl-matrix': {
      on: 'cluster',
      with: { '/usr/local/bin': '"$PROGRAMS"' },
    },
    'kubectl matrix --help': { on: 'cluster', writes: /create-user NAME USER/ },
    'kubectl matrix status -A': table,
    'kubectl matrix status -n quickstart quickstart': { on: 'cluster', writes: /Next steps\n {2}Nothing is needed/ },
    'kubectl matrix logs -n quickstart quickstart --since 10m': { on: 'cluster' },
    'kubectl matrix create-user -n quickstart quickstart alice --admin': {
      on: 'cluster',
      with: { alice: '"alice$RANDOM"' },
      writes: /^@alice\d+:quickstart\.localhost\npassword: \S+\n$/,
    },
    'kubectl matrix verify -n quickstart quickstart': { on: 'cluster', writes: /is whole\./ },
    'kubectl matrix rotate-key -n quickstart quickstart > change.yaml': { on: 'cluster' },
    'kubectl -n quickstart patch matrixhomeserver quickstart --type=merge --patch-file=change.yaml': {
      on: 'cluster',
      writes: /patched/,
    },
  },
  'docs/performance.md': {
    'npm run bench:homeserver -- --start --peer http://127.0.0.1:8008': { unrun: 'a measurement of minutes' },
    'npm run bench:homeserver -- --start --cost': { unrun: 'a measurement of minutes' },
    'npm run bench:operator': { unrun: 'a measurement of minutes' },
    'npm run bench:operator -- --fleet --resources 100': { unrun: 'a measurement of minutes' },
  },
  'docs/upgrading.md': {
    'helm upgrade matrix-operator charts/matrix-operator --namespace matrix-operator --reset-then-reuse-values --wait':
      {
        by: 'test/upgrade/support/operator-release.ts',
        proof: "['--reset-then-reuse-values', '--wait'",
      },
    'kubectl apply --server-side --force-conflicts -f crds/': { on: 'stage', writes: /serverside-applied/ },
    'helm rollback matrix-operator --namespace matrix-operator --wait': {
      by: 'test/upgrade/support/operator-release.ts',
      proof: "['rollback', 'matrix-operator'",
    },
    'kubectl -n NAMESPACE patch matrixhomeserver NAME --subresource=status --type=merge -p \'{"status":{"operatorVersion":null}}\'':
      { by: 'test/upgrade/support/operators.ts', proof: '{ status: { operatorVersion: null } }' },
  },
  'docs/runbooks/MatrixHomeserverBackupFailing.md': {
    'kubectl get matrixhomeservers -A -o wide': table,
    'kubectl -n NAMESPACE describe matrixhomeserver NAME': { on: 'cluster', with: QUICKSTART, writes: /Type:\s+Ready/ },
    'kubectl -n NAMESPACE logs job/JOB': {
      on: 'cluster',
      with: { ...QUICKSTART, JOB: '"$(kubectl -n quickstart get jobs -o jsonpath={.items[-1:].metadata.name})"' },
    },
    'kubectl -n NAMESPACE create job --from=cronjob/NAME-backup NAME-backup-now': {
      on: 'stage',
      with: { NAMESPACE: 'backup', 'NAME-backup-now': 'chat-backup-runbook', NAME: 'chat' },
    },
  },
  'docs/runbooks/MatrixHomeserverNotProgressing.md': { 'kubectl get matrixhomeservers -A -o wide': table },
  'docs/runbooks/MatrixHomeserverStalled.md': {
    'kubectl get matrixhomeservers -A': table,
    'kubectl -n NAMESPACE describe matrixhomeserver NAME': {
      on: 'cluster',
      with: QUICKSTART,
      writes: /Type:\s+Stalled/,
    },
  },
  'docs/runbooks/MatrixHomeserverUnavailable.md': {
    'kubectl get matrixhomeservers -A': table,
    'kubectl -n NAMESPACE get pods -l matrix-operator.dev/homeserver=NAME': {
      on: 'cluster',
      with: QUICKSTART,
      writes: /^quickstart-\S+\s+1\/1/m,
    },
  },
  'docs/runbooks/MatrixOperatorDefect.md': {
    'kubectl -n NAMESPACE logs deployment/RELEASE | grep \'"level":50\'': {
      on: 'cluster',
      // No line may have been written: grep then ends with 1.
      with: { ...OPERATOR, 'grep ': 'grep -c ', '\'"level":50\'': '\'"level":50\' || true' },
      writes: /^\d+$/m,
    },
  },
  'docs/runbooks/MatrixOperatorDown.md': {
    'kubectl -n NAMESPACE get pods -l app.kubernetes.io/name=matrix-operator': {
      on: 'cluster',
      with: OPERATOR,
      writes: /^matrix-operator-\S+\s+1\/1/m,
    },
    'kubectl -n NAMESPACE logs deployment/RELEASE': { on: 'cluster', with: OPERATOR, writes: /"level"/ },
    'kubectl -n NAMESPACE get lease matrix-operator -o yaml': {
      on: 'cluster',
      with: OPERATOR,
      writes: /holderIdentity: \S/,
    },
  },
  'docs/runbooks/MatrixOperatorDriftFight.md': {
    'kubectl -n NAMESPACE get KIND NAME -o yaml --show-managed-fields': {
      on: 'cluster',
      with: { ...QUICKSTART, KIND: 'deployment' },
      writes: /manager: matrix-operator\n/,
    },
  },
  'examples/argo-cd/README.md': {
    'kubectl patch configmap argocd-cm --namespace argocd --patch-file argocd-cm.yaml': {
      on: 'stage',
      writes: /patched/,
    },
  },
  'examples/backup/README.md': {
    'kubectl create secret generic backup-s3 --from-literal=accessKeyId=… --from-literal=secretAccessKey=…': {
      on: 'stage',
      with: S3_SECRET,
    },
    'kubectl create secret generic backup-key --from-literal=key="$(openssl rand -base64 32)"': stage,
    'kubectl apply -f homeserver.yaml': { on: 'stage', writes: /created/ },
    'kubectl create job --from=cronjob/chat-backup first-backup': stage,
    'kubectl create job --from=cronjob/chat-drill first-drill': stage,
    'kubectl get matrixhomeserver chat -o jsonpath=\'{.status.conditions[?(@.type=="BackupReady")].message}\'': {
      on: 'stage',
      writes: /\S/,
    },
  },
  'examples/key-rotation/README.md': {
    'kubectl apply -f 1-before.yaml': { on: 'stage', writes: /created/ },
    'kubectl apply -f 2-staged.yaml': { on: 'stage', writes: /configured/ },
    'kubectl apply -f 3-rotated.yaml': { on: 'stage', writes: /configured/ },
    'kubectl -n chat get mhs chat -o jsonpath=\'{range .status.signingKeys[*]}{.name} {.state} until {.nextTransitionTime}{"\\n"}{end}\'':
      { on: 'stage', writes: /^k1 \w+ until/m },
    'kubectl apply -f 4-revoked.yaml': { on: 'stage', writes: /configured/ },
  },
  'examples/production/README.md': {
    'kubectl apply -f examples/production/homeserver.yaml': { on: 'stage', writes: /created/ },
    'kubectl wait --for=condition=Ready --timeout=5m -n chat matrixhomeserver/production': ready,
  },
  'examples/quickstart/README.md': {
    'helm install matrix-operator charts/matrix-operator --namespace matrix-operator --create-namespace --set rbac.tenantClusterWide=true':
      { by: 'test/e2e/life.test.ts', proof: "install('examples/quickstart/README.md')" },
    'kubectl apply -f examples/quickstart/postgres.yaml': { on: 'cluster', writes: /statefulset\.apps\/postgres/ },
    'kubectl apply -f examples/quickstart/homeserver.yaml': { on: 'cluster', writes: /quickstart/ },
    'kubectl wait --for=condition=Ready --timeout=3m -n quickstart matrixhomeserver/quickstart': {
      on: 'cluster',
      writes: /condition met/,
    },
    'kubectl -n quickstart port-forward service/quickstart 8008': {
      on: 'cluster',
      with: { ' 8008': ' "$FREE_PORT":8008' },
      goesOn: true,
    },
    'curl http://127.0.0.1:8008/_matrix/client/versions': {
      on: 'cluster',
      with: { 'curl ': 'curl -fsS ', ':8008': ':"$FREE_PORT"' },
      writes: /"versions"/,
    },
    'kubectl -n quickstart describe matrixhomeserver quickstart': {
      on: 'cluster',
      writes: /Server Name:\s+quickstart\.localhost/,
    },
    'kubectl delete -f examples/quickstart/homeserver.yaml': { on: 'cluster', writes: /deleted/ },
  },
  'examples/restore/README.md': {
    'kubectl create namespace again': stage,
    'kubectl -n again create secret generic backup-s3 --from-literal=accessKeyId=… --from-literal=secretAccessKey=…': {
      on: 'stage',
      with: S3_SECRET,
    },
    "kubectl -n again create secret generic backup-key --from-literal=key='the text that was kept'": {
      on: 'stage',
      with: { "'the text that was kept'": '"$BACKUP_KEY"' },
    },
    'kubectl -n again apply -f homeserver.yaml': { on: 'stage', writes: /created/ },
    'kubectl -n again wait matrixhomeserver chat --for=condition=Ready --timeout=1h': ready,
  },
  'examples/shared-database/README.md': {
    'kubectl apply -f examples/shared-database/server-entry.yaml': { on: 'stage', writes: /created/ },
    'kubectl apply -f examples/shared-database/homeserver.yaml': { on: 'stage', writes: /created/ },
    'kubectl wait --for=condition=Ready --timeout=3m -n chat matrixhomeserver/chat': ready,
  },
  'examples/turn/README.md': {
    'kubectl apply -f examples/turn/homeserver.yaml': { on: 'stage', writes: /created/ },
    'kubectl wait --for=condition=Ready --timeout=5m matrixhomeserver/chat': ready,
    'kubectl get matrixhomeserver chat -o jsonpath=\'{.status.conditions[?(@.type=="IntegrationsReady")].message}\'': {
      on: 'stage',
      writes: /^TURN at turn\.example\.org \(203\.0\.113\.7\)/,
    },
  },
  'examples/upgrade/README.md': {
    'kubectl apply -f 3-required.yaml': { on: 'stage', writes: /configured/ },
    "kubectl -n chat get matrixhomeserver chat -o jsonpath='{.status.upgrade.plan}'": {
      on: 'stage',
      writes: /"id":"[0-9a-f]{12}".*"to":"0\.3\.0"/,
    },
    '$EDITOR 4-approved.yaml': { on: 'stage', with: { '$EDITOR ': 'sed -i "s/000000000000/$(cat plan-id)/" ' } },
    'kubectl apply -f 4-approved.yaml': { on: 'stage', writes: /configured/ },
    'kubectl -n chat events --for matrixhomeserver/chat': { on: 'stage', writes: /Serving/ },
    "kubectl get matrixhomeserver chat -o jsonpath='{.status.version}'": { on: 'stage', writes: /"current":"0\.2\.0"/ },
  },
};

/** Commands of a page that run in one place, in the page's order. */
export function commandsOn(place: 'stage' | 'cluster', document: string) {
  return Object.entries(COMMAND_LEDGER[document] ?? {}).flatMap(([command, run]) =>
    'on' in run && run.on === place ? [{ command, run }] : [],
  );
}

/** Pages with commands that run there. */
export function documentsOn(place: 'stage' | 'cluster'): string[] {
  return Object.keys(COMMAND_LEDGER).filter((document) => commandsOn(place, document).length > 0);
}
