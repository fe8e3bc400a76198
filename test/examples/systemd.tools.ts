// examples/systemd: the unit as systemd reads it, and the configuration that comes with it, run.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { PROJECT, run, runWell } from '../deploy/support/commands.ts'
import { checkExampleConfig } from '../support/example-config.ts'

const UNIT = join(PROJECT, 'examples/systemd/latchkey.service')

const dir = await mkdtemp(join(tmpdir(), 'latchkey-systemd-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))

t.test('systemd takes the unit, every line of it', async t => {
  const unit = join(dir, 'latchkey.service')
  const text = await readFile(UNIT, 'utf8')
  const verify = async (changed: string) => {
    await writeFile(unit, changed)
    const { code, stdout, stderr } = await run('systemd-analyze', [
      'verify',
      '--man=no',
      unit,
    ])
    return { code, said: stdout + stderr }
  }
  const here = text.replace('ExecStart=latchkey', `ExecStart=${PROJECT}bin/latchkey.js`)
  t.same(await verify(here), { code: 0, said: '' })
  t.match((await verify(`${here}\nBogus=1\n`)).said, /Unknown key 'Bogus'/)
})

t.test('it is shut in', async t => {
  const said = await runWell('systemd-analyze', ['security', '--offline=true', UNIT])
  const [, exposure] = /Overall exposure level for latchkey\.service: ([\d.]+)/.exec(
    said,
  ) ?? ['', '10']
  t.ok(Number(exposure) <= 2, `exposure ${exposure} of 10`)
})

t.test('its configuration runs', async t => {
  const secret = join(dir, 'secret')
  await writeFile(secret, Buffer.alloc(32, 7).toString('base64'))
  await checkExampleConfig(t, 'systemd', {
    dir,
    replaced: [
      ['/var/lib/latchkey/', `${dir}/`],
      ['/etc/latchkey/secret', secret],
    ],
  })
})
