import { mkdtemp, mkdir, rm, writeFile, cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runChild } from './support/children.ts'

const root = join(import.meta.dirname, '..')
const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')

async function cruise(cwd: string): Promise<{ code: number; output: string }> {
  try {
    const { stdout } = await runChild(
      process.execPath,
      [cruiser, 'src', '--config', '.dependency-cruiser.cjs', '--output-type', 'err'],
      { cwd },
    )
    return { code: 0, output: stdout }
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string }
    return { code, output: stdout }
  }
}

t.test('imports point one way and never in a circle', async t => {
  const { code, output } = await cruise(root)
  t.equal(code, 0, output)
})

// Each in a place of its own, all in one copy of the house.
const planted = [
  {
    name: 'the domain importing an adapter',
    file: 'grants/planted.ts',
    text: "import '../stores/sqlite/store.ts'",
    rule: 'direction-grants-',
  },
  {
    name: 'the domain importing what composes it',
    file: 'clients/planted.ts',
    text: "import '../core/core.ts'",
    rule: 'direction-clients-',
  },
  {
    name: "the protocol's words importing the house",
    file: 'oauth/planted.ts',
    text: "import '../clients/registry.ts'",
    rule: 'direction-oauth-',
  },
  {
    name: 'Fastify in a grant',
    file: 'grants/planted-fastify.ts',
    text: "import 'fastify'",
    rule: 'only-there-fastify',
  },
  {
    name: 'ioredis in a route',
    file: 'http/planted.ts',
    text: "import 'ioredis'",
    rule: 'only-there-ioredis',
  },
  {
    name: 'a package that another one brought',
    file: 'tokens/planted.ts',
    text: "import 'fast-uri'",
    rule: 'undeclared-package',
  },
  {
    name: 'a file in a folder without a row',
    file: 'elsewhere/planted.ts',
    text: "import '../clock.ts'",
    rule: 'without-a-row',
  },
  {
    name: 'such a file that imports nothing',
    file: 'elsewhere/planted-alone.ts',
    text: 'export {}',
    rule: 'without-a-row-alone',
  },
  {
    name: 'such a file that is imported',
    file: 'users/planted-import.ts',
    text: "import '../elsewhere/planted-imported.ts'",
    rule: 'without-a-row-imported',
  },
  {
    name: 'a circle',
    file: 'users/planted-circle.ts',
    text: "import './planted.ts'",
    rule: 'no-circular',
  },
]

t.test('what points another way is found', async t => {
  const copy = await mkdtemp(join(tmpdir(), 'latchkey-imports-'))
  t.teardown(() => rm(copy, { recursive: true }))
  for (const part of [
    'src',
    'package.json',
    'tsconfig.json',
    '.dependency-cruiser.cjs',
  ]) {
    await cp(join(root, part), join(copy, part), { recursive: true })
  }
  for (const name of ['fastify', 'ioredis', 'fast-uri']) {
    await mkdir(join(copy, 'node_modules', name), { recursive: true })
    await writeFile(
      join(copy, 'node_modules', name, 'package.json'),
      JSON.stringify({ name, version: '1.0.0', main: 'index.js' }),
    )
    await writeFile(join(copy, 'node_modules', name, 'index.js'), '')
  }
  await writeFile(join(copy, 'src/users/planted.ts'), "import './planted-circle.ts'\n")
  await mkdir(join(copy, 'src/elsewhere'))
  await writeFile(join(copy, 'src/elsewhere/planted-imported.ts'), 'export {}\n')
  for (const { file, text } of planted) {
    await writeFile(join(copy, 'src', file), `${text}\n`)
  }
  const { code, output } = await cruise(copy)
  t.not(code, 0)
  const lines = output.split('\n')
  for (const { name, file, rule } of planted) {
    t.ok(
      lines.some(line => line.includes(rule) && line.includes(file)),
      `${name} (${rule} at ${file})`,
    )
  }
})
