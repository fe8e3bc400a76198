import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, noJsx: true, ignores: ['.tap/**', 'node_modules/**', 'coverage/**', '.latchkey/**', '.venv/**', 'native/**'] }),
  {
    files: ['src/**/*.ts'],
    rules: {
      // A schema and the type derived from it share their name.
      '@typescript-eslint/no-redeclare': 'off',
      'max-lines': ['error', { max: 250 }],
      'no-console': 'error',
      'no-restricted-properties': ['error', { object: 'Date', property: 'now', message: 'Take a Clock as an argument (src/clock.ts).' }],
    },
  },
  { files: ['src/clock.ts'], rules: { 'no-restricted-properties': 'off' } },
]
