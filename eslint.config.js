import neostandard from 'neostandard'

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
      '.latchkey/**',
      '.venv/**',
      'native/**',
      'helm/**',
    ],
  }),
  {
    rules: {
      'max-len': [
        'error',
        {
          code: 110,
          ignoreUrls: true,
          ignoreStrings: true,
          ignoreTemplateLiterals: true,
          ignoreRegExpLiterals: true,
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      // A schema and the type derived from it share their name.
      '@typescript-eslint/no-redeclare': 'off',
      'max-lines': ['error', { max: 360 }],
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        {
          object: 'Date',
          property: 'now',
          message: 'Take a Clock as an argument (src/base/clock.ts).',
        },
      ],
    },
  },
  { files: ['src/config/schema.ts'], rules: { 'max-lines': 'off' } },
  { files: ['src/base/clock.ts'], rules: { 'no-restricted-properties': 'off' } },
]
