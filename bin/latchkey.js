#!/usr/bin/env -S node --no-maglev
// Plain JavaScript that every Node reads: a too old one must say what to do, not what it can't parse.
// A checkout runs its source as it is. A packed Latchkey has none: Node strips no types under node_modules.
// An image has its modules in a few files (scripts/bundle).
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    'latchkey needs Node.js 24 or newer, this is ' +
      process.version +
      ': install it (https://nodejs.org) or run `npm ci` and start with `npm start`',
  )
  process.exitCode = 1
} else {
  import('./compile-cache.js')
    .then(({ useCompileCache }) => useCompileCache())
    .then(() => import('fs'))
    .then(({ existsSync }) =>
      ['../bundle/cli.js', '../src/cli/main.ts', '../dist/cli/main.js'].find(file =>
        existsSync(new URL(file, import.meta.url)),
      ),
    )
    .then(file => import(file))
    .then(({ main }) => main())
}
