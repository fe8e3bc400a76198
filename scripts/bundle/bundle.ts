// Puts Latchkey's modules, and those of packages that a start needs, into a few files without comments and
// types: bundle/, which an image runs in place of src/. docs/decisions/bundle.md says why.
//   npm ci --prefix scripts/bundle --ignore-scripts
//   node scripts/bundle/bundle.ts /app
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative, resolve, sep } from 'node:path'
import process from 'node:process'
import { ENTRIES } from './entries.ts'

/** Stay as they are: they have compiled forms or files beside their code, or few starts read them. */
const PACKAGES = [
  'argon2',
  'bcrypt',
  '@fastify/swagger-ui',
  'mysql2',
  'mysql2/promise',
  'nodemailer',
  'pg',
  'undici',
]

// What packages in the form of CommonJS ask Node's own modules by.
const REQUIRE =
  "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);"

/** What is used of esbuild. */
interface Esbuild {
  build(options: object): Promise<unknown>
}

interface PluginBuild {
  onLoad(
    of: { readonly filter: RegExp },
    load: (file: { readonly path: string }) => object | undefined,
  ): void
}

/**
 * Lua scripts, templates and programs of other processes stay in src/. What names them by its own place goes
 * on to.
 */
const placesIn = (root: string) => ({
  name: 'places',
  setup({ onLoad }: PluginBuild): void {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!path.startsWith(join(root, 'src') + sep)) return undefined
      const place = JSON.stringify(`../${relative(root, path)}`)
      const text = readFileSync(path, 'utf8').replaceAll(
        'import.meta.url',
        `new URL(${place}, import.meta.url).href`,
      )
      return { contents: text, loader: 'ts' }
    })
  },
})

const root = resolve(process.argv[2] ?? '.')
if (existsSync(join(root, '.git'))) {
  throw new Error(
    `${root} is a checkout: it runs its source, and would not see a change of it`,
  )
}
const { build }: Esbuild = createRequire(import.meta.url)('esbuild')
rmSync(join(root, 'bundle'), { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(
    Object.entries(ENTRIES).map(([name, file]) => [name, join(root, file)]),
  ),
  outdir: join(root, 'bundle'),
  chunkNames: '[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  external: PACKAGES,
  plugins: [placesIn(root)],
  banner: { js: REQUIRE },
  // Names stay, for traces of a stack, and for what packages read of their own classes.
  minifyWhitespace: true,
  minifySyntax: true,
  keepNames: true,
  lineLimit: 120,
  // node_modules, which the image has as well, holds the licenses.
  legalComments: 'none',
  logLevel: 'warning',
})
