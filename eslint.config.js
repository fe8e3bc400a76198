import neostandard from 'neostandard'

// Time and randomness arrive as arguments: two files ask the system for them, so that tests can choose both.
const TAKE_A_CLOCK = 'Take a Clock or a Monotonic as an argument (src/base/clock.ts).'
const TAKE_RANDOM = 'Take a Random as an argument (src/base/random.ts).'
const TIME = [
  { object: 'Date', property: 'now', message: TAKE_A_CLOCK },
  { object: 'process', property: 'hrtime', message: TAKE_A_CLOCK },
  { object: 'process', property: 'uptime', message: TAKE_A_CLOCK },
]
const RANDOMNESS = [{ object: 'Math', property: 'random', message: TAKE_RANDOM }]
const NOW = [
  {
    selector: 'NewExpression[callee.name=Date][arguments.length=0]',
    message: TAKE_A_CLOCK,
  },
  { selector: 'CallExpression[callee.name=Date]', message: TAKE_A_CLOCK },
]
const CRYPTO_GLOBAL = { name: 'crypto', message: TAKE_RANDOM }
const PERF_HOOKS = { name: 'node:perf_hooks', message: TAKE_A_CLOCK }
/** `default` and a namespace would bring the same names along. */
const CRYPTO = ['node:crypto', 'crypto'].map(name => ({
  name,
  importNames: [
    'default',
    'getRandomValues',
    'randomBytes',
    'randomFill',
    'randomFillSync',
    'randomInt',
    'randomUUID',
    'webcrypto',
  ],
  message: TAKE_RANDOM,
}))

export default [
  ...neostandard({
    ts: true,
    noJsx: true,
    // Prettier lays the code out (docs/decisions/layout-of-lines.md).
    noStyle: true,
    ignores: [
      '.tap/**',
      'node_modules/**',
      'coverage/**',
      '**/dist/**',
      '.latchkey/**',
      '.venv/**',
      'native/**',
      'helm/**',
    ],
  }),
  {
    rules: {
      // scripts/line-width.ts holds every other file to it.
      'max-len': ['error', { code: 110 }],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      // A schema and the type derived from it share their name.
      '@typescript-eslint/no-redeclare': 'off',
      'max-lines': ['error', { max: 360 }],
      'no-console': 'error',
      'no-restricted-properties': ['error', ...TIME, ...RANDOMNESS],
      'no-restricted-globals': [
        'error',
        { name: 'performance', message: TAKE_A_CLOCK },
        CRYPTO_GLOBAL,
      ],
      'no-restricted-imports': ['error', { paths: [PERF_HOOKS, ...CRYPTO] }],
      'no-restricted-syntax': ['error', ...NOW],
    },
  },
  {
    files: ['src/base/clock.ts'],
    rules: {
      'no-restricted-properties': ['error', ...RANDOMNESS],
      'no-restricted-globals': ['error', CRYPTO_GLOBAL],
    },
  },
  {
    files: ['src/base/random.ts'],
    rules: {
      'no-restricted-properties': ['error', ...TIME],
      'no-restricted-imports': ['error', { paths: [PERF_HOOKS] }],
    },
  },
]
