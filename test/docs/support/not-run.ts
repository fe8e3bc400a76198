// The one table of blocks that the suites of this folder don't run: what else runs them, or why nothing can.
// A block that is neither run nor here fails a test, and so does a row that no block needs.
import { fileOf, type Block } from './blocks.ts'

/** A row: which blocks of a page it means, and where they are run or why they aren't. */
export interface NotRun {
  readonly page: string
  /** How they begin. */
  readonly begins: string
  /** The suite that runs them: it names the page, or the folder of an example. */
  readonly by?: string
  /** Why nothing can run them. */
  readonly why?: string
}

const CLUSTER = 'it needs a cluster; test/deploy holds the chart to what it renders'
const NO_ENGINE =
  'it needs an engine for containers; test/deploy builds the Dockerfile with buildah'
const OF_A_MACHINE =
  'it installs a service as root; systemd.tools.ts checks the unit and the configuration'
const MEASURES =
  'it measures for minutes; test/alone/bench.tools.ts starts benches for a moment'
const OF_A_PROXY = "it is a proxy's own configuration, and that proxy is none of Debian's"

const by = (page: string, suite: string, begins: readonly string[]): NotRun[] =>
  begins.map(each => ({ page, begins: each, by: suite }))

const because = (page: string, why: string, begins: readonly string[]): NotRun[] =>
  begins.map(each => ({ page, begins: each, why }))

export const NOT_RUN: readonly NotRun[] = [
  ...by('README.md', 'test/e2e/readme.tools.ts', ['import jwt']),
  ...by('README.md', 'test/e2e/readme.test.ts', [
    'import { createRemote',
    'issuer: http://127.0.0.1:3000',
    'test -s secret',
    'npm start',
    'read -rs PASSWORD',
    'export LATCHKEY_CONFIG',
  ]),
  ...because('README.md', CLUSTER, ['helm install']),
  ...because('docs/architecture.md', 'it is a list; .dependency-cruiser.cjs holds it', [
    'main → server',
  ]),
  ...by('docs/audit.md', 'test/observe/questions.tools.ts', ['jq -r', 'jq -c']),
  ...because('docs/cli.md', 'a later block of the page starts the server', [
    'latchkey serve --config',
  ]),
  ...by('docs/cli.md', 'test/cli/completion.tools.ts', ['source <(latchkey']),
  ...by('docs/cli.md', 'test/cli/import.test.ts', ['{"name":"alice","passwordHash"']),
  ...by('docs/compat.md', 'test/compat/old-clients.tools.ts', ['app.config["JWT_']),
  ...by('docs/decisions/stored-data.md', 'test/stores/format.test.ts', [
    'Redis at redis:6379',
  ]),
  ...because('docs/keys.md', 'it is a drawing', ['            publishAt']),
  ...because(
    'docs/keys.md',
    'it is a line of an app; rotation.tools.ts tries one alike',
    ['secret: async'],
  ),
  ...by('docs/moving-in.md', 'test/cli/moving-in.test.ts', [
    'latchkey users import',
    '43 updated',
    'SELECT id AS uid',
  ]),
  ...by('docs/notifications.md', 'test/outbox/mail/mail.test.ts', ['Subject: Set']),
  ...because('docs/operations.md', CLUSTER, [
    'kubectl -n id patch',
    'kubectl create',
    'helm install',
    'helm upgrade',
    'helm uninstall',
    'kubectl -n id delete',
  ]),
  ...because('docs/runbook.md', CLUSTER, [
    'NAMESPACE=',
    'kubectl get "$DEPLOYMENT"',
    'kubectl debug',
  ]),
  ...by('docs/operations.md', 'test/deploy/backup.tools.ts', [
    '# into values.yaml',
    'file=/backup/',
  ]),
  ...because('docs/operations.md', "they are lines of the reader's own Redis", [
    'appendonly yes',
    'redis-cli acl setuser',
  ]),
  ...by('docs/operations.md', 'test/deploy/chart-package.test.ts', ['metrics:\n']),
  ...because('docs/operations.md', NO_ENGINE, ['docker build']),
  ...by('docs/operations.md', 'test/deploy/chart.tools.ts', ['# values.yaml']),
  ...by('docs/operations.md', 'test/deploy/release-script.tools.ts', ['openssl ecparam']),
  ...because('docs/performance.md', MEASURES, ['npm run bench ']),
  ...because('docs/proxies.md', OF_A_PROXY, ['# http: {', 'http_filters:']),
  ...by('docs/reliability.md', 'test/stores/connect.test.ts', ['ACL SETUSER']),
  ...by('docs/reliability.md', 'test/stores/postgres-backup.tools.ts', [
    'latchkey store backup',
  ]),
  ...because('docs/scale.md', MEASURES, ['npm run bench:scale']),
  ...by('docs/self-service.md', 'test/conformance/own-account.test.ts', [
    'HTTP/1.1 401 Unauthorized',
  ]),
  ...by('docs/users-elsewhere.md', 'test/users/directories/sql-recipes.tools.ts', [
    'query: >',
    'pepper:',
  ]),
  ...because('docs/users-elsewhere.md', "it gives rights to a user of the reader's own", [
    '-- as the owner',
  ]),
  ...by('docs/how-to/single-page-app.md', 'test/docs/single-page-app.tools.ts', [
    '<!doctype html>',
    'const headers',
  ]),
  ...by('docs/how-to/without-kubernetes.md', 'test/docs/nginx.tools.ts', ['server {']),
  ...because('docs/refresh-family.md', 'it is a drawing', ['sequenceDiagram']),
  ...because('examples/compose/README.md', NO_ENGINE, [
    'mkdir -m 700 secrets',
    'docker compose exec',
  ]),
  ...by('examples/accounts/README.md', 'test/examples/accounts.tools.ts', ['set --']),
  ...by('examples/express/README.md', 'test/examples/express.tools.ts', ['npm start']),
  ...by('examples/fastify/README.md', 'test/examples/fastify.tools.ts', ['npm start']),
  ...by('examples/go/README.md', 'test/examples/go.tools.ts', ['npm start']),
  ...by('examples/haproxy/README.md', 'test/examples/proxies.tools.ts', ['npm start']),
  ...by('examples/nginx/README.md', 'test/examples/proxies.tools.ts', ['npm start']),
  ...by('examples/notes/README.md', 'test/examples/notes.tools.ts', ['python3 start.py']),
  ...by('examples/rust/README.md', 'test/examples/rust.tools.ts', ['npm start']),
  ...by('examples/self-service/README.md', 'test/examples/self-service.tools.ts', [
    'export LATCHKEY_SECRET',
  ]),
  ...by('examples/spring-boot/README.md', 'test/examples/spring-boot.tools.ts', [
    'npm start',
  ]),
  ...because('examples/systemd/README.md', OF_A_MACHINE, ['npm pack', 'alias latchkey']),
  ...because('helm/latchkey/README.md', CLUSTER, ['helm install']),
  ...by(
    'packages/latchkey-verifier-python/README.md',
    'test/examples/verifier-python.tools.ts',
    ['from typing', 'from flask', 'from latchkey_verifier'],
  ),
  ...by(
    'packages/latchkey-verifier/README.md',
    'test/examples/verifier-package.tools.ts',
    ['import fastify', 'import express', 'import { createVerifier'],
  ),
]

/** The row of a block, if it has one. */
export const notRun = ({ page, code }: Block): NotRun | undefined =>
  NOT_RUN.find(row => row.page === page && code.startsWith(row.begins))

/** Whether a walk follows the block itself: commands, and files that the page names. */
export const isWalked = (block: Block): boolean =>
  block.language === 'sh' || fileOf(block) !== undefined

/** Whether it is a piece of Latchkey's configuration. */
export const isConfiguration = (block: Block): boolean =>
  block.language === 'yaml' && fileOf(block) === undefined

/** Whether it shows what the commands before it print. */
export const isShown = (block: Block, before: Block | undefined): boolean =>
  block.language === 'text' && before?.language === 'sh' && before.page === block.page
