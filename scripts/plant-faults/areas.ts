// Where faults are planted, and which tests are asked about each: first those nearest to the file, which take
// seconds, then wider ones for what nobody near has noticed.

interface Nearest {
  /** Which files; the first that fits decides. */
  readonly files: RegExp
  readonly tests: readonly string[]
}

export interface Area {
  readonly name: string
  /** Globs. */
  readonly sources: readonly string[]
  readonly nearest: readonly Nearest[]
  readonly wider: readonly string[]
}

const CONFORMANCE = [
  'conformance/token-endpoint',
  'conformance/refresh',
  'conformance/dpop',
  'conformance/revoke-introspect',
]
const LOGINS = ['users/login', 'conformance/login-throttle', 'contracts/login-attempts']
const KEYS = ['keys/ring', 'keys/plan', 'keys/sightings', 'keys/directory']

/** One row an area; the number of faults is spread evenly over them. */
export const AREAS: readonly Area[] = [
  {
    name: 'tokens',
    sources: ['src/tokens/*.ts'],
    nearest: [
      {
        files: /dpop/,
        tests: ['tokens/tokens', 'conformance/dpop', 'conformance/proxies'],
      },
      { files: /read-refresh/, tests: ['keys/secret-lists', 'tokens/tokens'] },
      { files: /refresh/, tests: ['tokens/tokens', 'conformance/refresh'] },
      { files: /offline/, tests: ['cli/process', 'cli/commands'] },
      {
        files: /sign-jwt/,
        tests: ['conformance/token-endpoint', 'keys/sightings', 'keys/pkcs11'],
      },
      { files: /compact/, tests: ['conformance/dpop', 'conformance/jwt'] },
      { files: /./, tests: ['tokens/tokens', 'conformance/token-endpoint'] },
    ],
    wider: [...CONFORMANCE, 'conformance/verify', 'keys/ring', 'conformance/jwt'],
  },
  {
    name: 'clients',
    sources: ['src/clients/*.ts'],
    nearest: [
      { files: /claimed/, tests: ['observe/refusals', 'observe/canary'] },
      { files: /./, tests: ['clients/clients', 'clients/bounds', 'clients/assertion'] },
    ],
    wider: [...CONFORMANCE, 'observe/refusals', 'config/load'],
  },
  {
    name: 'keys',
    sources: ['src/keys/*.ts', 'src/keys/*/*.ts'],
    nearest: [
      { files: /pkcs11/, tests: ['keys/pkcs11', 'keys/pkcs11-failing'] },
      { files: /jwks/, tests: ['keys/jwks', 'keys/ring'] },
      { files: /directory|external|ring-cache/, tests: ['keys/directory', 'keys/plan'] },
      { files: /plan|instants/, tests: ['keys/plan', 'keys/ring', 'keys/directory'] },
      { files: /sightings/, tests: ['keys/sightings', 'keys/ring'] },
      { files: /secret|seal/, tests: ['keys/secret-lists', 'keys/ring', 'keys/make'] },
      { files: /./, tests: [...KEYS, 'keys/make'] },
    ],
    wider: [...KEYS, 'cli/keys', 'keys/jwks', 'keys/simulation', 'keys/pkcs11'],
  },
  {
    name: 'failed logins',
    sources: [
      'src/users/authenticate.ts',
      'src/users/failed-logins/*.ts',
      'src/users/hashing/queue.ts',
      'src/stores/sqlite/people/login-{rules,attempts}.ts',
      'src/stores/redis/people/login-attempts.ts',
    ],
    nearest: [
      { files: /queue/, tests: ['users/hashing', 'users/login'] },
      { files: /failed-logins[.]ts/, tests: ['users/failed-logins', ...LOGINS] },
      { files: /stores/, tests: ['contracts/login-attempts', 'users/login'] },
      { files: /./, tests: LOGINS },
    ],
    wider: [
      'users/login',
      'conformance/token-endpoint',
      'observe/metrics',
      'users/hashing',
      'users/parallel-guess',
      'users/attacks',
    ],
  },
  {
    name: 'grants',
    sources: ['src/grants/*.ts'],
    nearest: [
      { files: /refresh/, tests: ['grants/refresh-token', 'conformance/refresh'] },
      { files: /password/, tests: ['grants/password', 'conformance/token-endpoint'] },
      { files: /./, tests: ['conformance/token-endpoint', 'conformance/refresh'] },
    ],
    wider: [...CONFORMANCE, 'users/login', 'status/status', 'conformance/jwt'],
  },
  {
    name: 'Lua scripts',
    sources: [
      'src/stores/redis/scripts/{.,sessions,people,people/index,status-lists}/*.lua',
    ],
    nearest: [
      { files: /login/, tests: ['contracts/login-attempts'] },
      { files: /status/, tests: ['contracts/status-lists', 'stores/status'] },
      { files: /confirm/, tests: ['stores/durable'] },
      { files: /user|name/, tests: ['contracts/users', 'contracts/families'] },
      {
        files: /count|document|identity/,
        tests: ['contracts/store', 'stores/store-identity'],
      },
      { files: /./, tests: ['contracts/families', 'contracts/status-lists'] },
    ],
    wider: [
      'stores/redis',
      'contracts/users',
      'status/status',
      'contracts/store',
      'model/families.property',
    ],
  },
]

/** The test files that are asked about a fault in the file, the nearest first, none twice. */
export function testsFor(area: Area, file: string): string[] {
  const nearest = area.nearest.find(({ files }) => files.test(file))?.tests ?? []
  return [...new Set([...nearest, ...area.wider])].map(name => `test/${name}.test.ts`)
}
