// The dashboard under a real Prometheus: every query of every panel has an answer while there is traffic, and
// the picture for the README is drawn of it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { takePicture } from '../../scripts/dashboard/picture.ts'
import { PROJECT } from './support/commands.ts'

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')

/** Width and height of a PNG. */
async function sizeOf(file: string): Promise<readonly number[]> {
  const bytes = await readFile(file)
  if (!bytes.subarray(0, 8).equals(PNG)) throw new Error('no PNG')
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
}

t.test(
  'each panel has its lines, and all of them are drawn',
  { timeout: 600_000 },
  async t => {
    const file = join(t.testdir(), 'dashboard.png')
    const panels = await takePicture({ file, seconds: 30 })
    const { panels: known } = JSON.parse(
      await readFile(join(PROJECT, 'helm/latchkey/files/dashboard.json'), 'utf8'),
    )
    t.same(
      panels.map(({ title }) => title),
      known.map(({ title }: { title: string }) => title),
    )
    for (const { title, type, series } of panels) {
      if (type === 'row') continue
      t.ok(
        series.some(({ points }) => points.some(([, value]) => Number.isFinite(value))),
        `${title} has values`,
      )
      if (type === 'stat') t.equal(series.length, 1, `${title} is one number`)
      else {
        t.equal(
          new Set(series.map(({ name }) => name)).size,
          series.length,
          `${title} names each line`,
        )
      }
    }
    const lines = (title: string) =>
      panels
        .find(panel => panel.title === title && !['row', 'stat'].includes(panel.type))
        ?.series.map(({ name }) => name) ?? []
    t.ok(
      ['issued', 'refused user_unknown'].every(name =>
        lines('Logins by outcome').includes(name),
      ),
    )
    t.ok(
      lines('Errors').some(name => name.endsWith(' 503')),
      'the store was away',
    )
    t.ok(lines('Keys').length >= 3, 'a key turned')
    t.same(
      await sizeOf(file),
      await sizeOf(join(PROJECT, 'docs/dashboard.png')),
      'the picture in the README is of these panels',
    )
  },
)
