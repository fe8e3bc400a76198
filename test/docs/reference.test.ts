// The pages of reference say what the server says of itself.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pageText as endpointsText, wholeDocument } from '../../scripts/endpoints-page.ts'
import { pageText as metricsText } from '../../scripts/metrics-page.ts'
import { ROOT } from '../support/python.ts'
import { textOf } from './support/blocks.ts'
import { startMeasured } from './support/measured.ts'

t.test('docs/endpoints.md is as the OpenAPI document is', async t => {
  const page = textOf('docs/endpoints.md')
  t.equal(
    await endpointsText(page, await wholeDocument()),
    page,
    'node scripts/endpoints-page.ts',
  )
  for (const path of ['/token', '/account', '/account/recovery', '/verify', '/status']) {
    t.match(page, `${path}\n`)
  }
})

t.test('it has every error of the public listener', async t => {
  const page = textOf('docs/endpoints.md')
  const [, table = ''] = page.split('## Errors')
  const files = globSync(
    'src/{oauth,grants,clients,http/{public,request,callers}}/**/*.ts',
    {
      cwd: ROOT,
    },
  )
  const codes = files.flatMap(file => {
    const source = readFileSync(join(ROOT, file), 'utf8')
    return [...source.matchAll(/new OAuthError\(\s*\d+,\s*'(\w+)'/g)].map(
      ([, code = '']) => code,
    )
  })
  t.ok(codes.length > 10)
  const selfService = textOf('docs/self-service.md')
  for (const code of new Set(codes)) {
    t.ok(table.includes(`\`${code}\``) || selfService.includes(`\`${code}\``), code)
  }
})

t.test('docs/metrics.md has every metric, and no other', async t => {
  const { shown, stop } = await startMeasured()
  t.teardown(stop)
  const page = textOf('docs/metrics.md')
  t.equal(await metricsText(page, shown), page, 'node scripts/metrics-page.ts')
  t.match(page, '| `latchkey_grants_total` | counter | `grant` `outcome` `reason` |')
})
