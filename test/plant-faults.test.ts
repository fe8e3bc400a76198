// scripts/plant-faults.ts: which faults it knows, and that its table names files that are there.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AREAS, testsFor } from '../scripts/plant-faults/areas.ts'
import { faultsIn, planted } from '../scripts/plant-faults/faults.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

const all = (file: string, text: string) =>
  faultsIn(file, text).map(fault => planted(text, fault))

t.test('each line with a fault in it', t => {
  for (const [text, ...expected] of [
    ['if (a) b()', 'if (!(a)) b()', 'if (a) ;'],
    ['const a = b < 1', 'const a = b <= 1', 'const a = b < 2'],
    ['const a = b && !c', 'const a = b || !c'],
    ['const a = b ? true : c', 'const a = !(b) ? true : c', 'const a = b ? false : c'],
    ['const f = () => { return a }', 'const f = () => { return; return a }'],
    ['await a()', ';'],
    ['type A = 1 | true', ...[]],
  ] as const) {
    t.same(all('a.ts', text), expected, text)
  }
  for (const [text, ...expected] of [
    [
      'if a == 1 and b then return c end',
      'if not (a == 1 and b) then return c end',
      'if a ~= 1 and b then return c end',
      'if a == 2 and b then return c end',
      'if a == 1 or b then return c end',
    ],
    ["  redis.call('DEL', key)", '  '],
    ['return 1 -- if a == 2', 'return 2 -- if a == 2'],
    ['local function f ()\nend', 'local function f ()\n  if true then return end\nend'],
  ] as const) {
    t.same(all('a.lua', text), expected, text)
  }
  t.end()
})

t.test('every area has sources, faults and tests', t => {
  for (const area of AREAS) {
    const files = globSync([...area.sources], { cwd: root })
    t.ok(files.length > 0, area.name)
    t.ok(files.some(file => faultsIn(file, read(file)).length > 10))
    for (const file of files) {
      for (const test of testsFor(area, file)) t.ok(existsSync(join(root, test)), test)
    }
  }
  t.end()
})

t.test('a reason for a fault that is none names a line that is there', t => {
  const reasons = JSON.parse(read('scripts/plant-faults/reasons.json'))
  for (const { file, code, column, after, reason } of reasons) {
    const lines = read(file).split('\n')
    const fault = faultsIn(file, read(file)).find(
      found =>
        found.after.trim() === after &&
        found.column === column &&
        lines[found.line - 1]?.trim() === code,
    )
    t.ok(fault, `${file}: ${code}`)
    t.match(reason, /\w+ \w+/)
  }
  t.end()
})
