// Which folder may import which (docs/architecture.md). `npm run lint` and test/architecture.test.ts
// both read this table.

/** Leaves that everything may import. */
const LEAVES = '^src/base/'

/** Folder or file under src/ → what it may import beside itself and the leaves. */
const MAY_IMPORT = {
  'settle-heap[.]ts': [],
  'main[.]ts': [
    'server[.]ts',
    'settle-heap[.]ts',
    'demo[.]ts',
    'processes/',
    'config/',
    'users/hashing/capacity',
  ],
  'demo[.]ts': ['core/core', 'config/development'],
  'processes/': [
    'server[.]ts',
    'config/schema',
    'observe/',
    'outbox/mail/templates',
    'users/hashing/capacity',
  ],
  'server[.]ts': [
    'app[.]ts',
    'listeners[.]ts',
    'safe-store[.]ts',
    'core/',
    'http/management/',
    'http/listener/listen',
    'http/listener/listener',
    'http/callers/callers',
    'http/callers/trusted-proxies',
    'config/schema',
    'config/key-policy',
    'config/rules/',
    'config/tracing',
    'keys/external/',
    'observe/',
    'stores/',
    'users/blocklist/open-blocklist',
    'users/hashing/argon2',
  ],
  'listeners[.]ts': [
    'app[.]ts',
    'core/',
    'config/schema',
    'http/callers/own-address',
    'http/callers/trusted-proxies',
    'http/management/',
    'observe/',
    'stores/',
  ],
  'safe-store[.]ts': ['config/schema', 'observe/', 'stores/'],
  'app[.]ts': ['core/', 'http/', 'observe/', 'stores/ports'],
  'cli/': [
    'main[.]ts',
    'core/',
    'config/',
    'self-service/',
    'users/',
    'tokens/',
    'keys/',
    'clients/',
    'stores/',
    'observe/',
    'oauth/',
    'outbox/mail/templates',
  ],
  'http/': [
    'core/',
    'scim/',
    'grants/',
    'sessions/',
    'self-service/',
    'users/',
    'tokens/',
    'keys/',
    'status-lists/',
    'clients/',
    'stores/ports',
    'oauth/',
    'outbox/announce',
    'tickets/',
  ],
  'scim/': ['oauth/'],
  'sessions/': ['stores/ports'],
  'tickets/': ['stores/ports'],
  'self-service/': ['tickets/', 'sessions/', 'users/', 'stores/ports', 'oauth/'],
  'outbox/': ['users/', 'clients/guarded-post', 'stores/ports', 'oauth/'],
  // Everything that Latchkey can do, composed; nobody below imports it.
  'core/': [
    'config/schema',
    'config/key-policy',
    'grants/',
    'outbox/',
    'sessions/',
    'tickets/',
    'self-service/',
    'users/',
    'tokens/',
    'keys/',
    'status-lists/',
    'clients/',
    'stores/ports',
    'oauth/',
  ],
  'grants/': [
    'users/',
    'tokens/',
    'keys/',
    'status-lists/',
    'clients/',
    'stores/ports',
    'oauth/',
  ],
  'observe/': ['oauth/', 'stores/ports', 'users/hashing/', 'grants/all'],
  'users/': ['stores/ports', 'oauth/'],
  'status-lists/': ['tokens/', 'keys/', 'stores/ports', 'oauth/'],
  'tokens/': ['keys/', 'stores/ports', 'oauth/'],
  'keys/': ['stores/ports', 'oauth/'],
  'clients/': ['stores/ports', 'oauth/'],
  // A filter that is none is named with its place, before anything starts.
  'config/': ['oauth/', 'users/directory/ldap/filter'],
  'oauth/': [],
  'stores/ports': [],
  'stores/open[.]ts': ['stores/'],
  'stores/watch[.]ts': ['stores/ports'],
  'stores/redis/': ['stores/ports'],
  'stores/sqlite/': ['stores/ports'],
  'stores/postgres/': ['stores/ports'],
  'base/': [],
}

/** Package → the only places that may import it. */
const ONLY_IN = {
  'ioredis|standard-as-callback|cluster-key-slot': '^src/stores/redis/',
  '@?fastify': '^src/(http/|app[.]ts|listeners[.]ts|server[.]ts|observe/)',
  'fast-jwt': '^src/tokens/',
  'jose|undici': '^src/clients/',
  'ipaddr[.]js': '^src/(clients|users)/',
  'argon2|bcrypt': '^src/users/hashing/',
  'prom-client|pino': '^src/observe/',
  '@opentelemetry': '^src/observe/(tracing/(otel|resource)[.]ts|otlp/)',
  'lru-cache':
    '^src/(base/counts|http/|tokens/signed-here|clients/proven-headers|stores/redis/tracking/)',
  negotiator: '^src/http/',
  ldapts: '^src/users/directory/ldap/',
  nodemailer: '^src/outbox/mail/',
  'commander|csv-parse|stream-json|stream-chain': '^src/cli/',
  'pg|mysql2': '^src/(base/sql/postgres-pool|stores/postgres/|users/directory/sql/)',
  yaml: '^src/config/',
}

/** Whatever has a row above. */
const ROWS = Object.keys(MAY_IMPORT).map(from => `^src/${from}`)

module.exports = {
  forbidden: [
    // A package that is only there because another one brought it may go with the next update of that one.
    {
      name: 'undeclared-package',
      severity: 'error',
      from: { path: '^src' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    // Three rules, as a rule speaks of imports: the file imports, is imported, or neither.
    {
      name: 'without-a-row',
      severity: 'error',
      from: { path: '^src', pathNot: ROWS },
      to: {},
    },
    {
      name: 'without-a-row-imported',
      severity: 'error',
      from: {},
      to: { path: '^src', pathNot: ROWS },
    },
    {
      name: 'without-a-row-alone',
      severity: 'error',
      from: { orphan: true, path: '^src', pathNot: ROWS },
      to: {},
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-dev-dep',
      severity: 'error',
      from: { path: '^src' },
      to: { dependencyTypes: ['npm-dev'] },
    },
    // Whoever doesn't trace must not pay for reading it.
    {
      name: 'tracing-is-read-late',
      severity: 'error',
      from: { pathNot: '^src/observe/(tracing/otel[.]ts|otlp/)' },
      to: {
        path: '^src/observe/(tracing/(otel|resource)|otlp/(open|metric-data|log-record))[.]ts',
        dynamic: false,
      },
    },
    ...Object.entries(MAY_IMPORT).map(([from, to]) => ({
      name: `direction-${from.replaceAll(/[^a-z]+/g, '-')}`,
      severity: 'error',
      from: { path: `^src/${from}` },
      to: {
        path: '^src/',
        pathNot: [LEAVES, `^src/${from}`, ...to.map(path => `^src/${path}`)],
      },
    })),
    ...Object.entries(ONLY_IN).map(([name, places]) => ({
      name: `only-there-${name.replaceAll(/[^a-z]+/g, '-').replace(/^-/, '')}`,
      severity: 'error',
      from: { path: '^src/', pathNot: places },
      to: { path: `node_modules/(${name})/` },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
}
