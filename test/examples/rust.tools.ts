// examples/rust, built by Cargo.
import { join } from 'node:path'
import { checkClockSkew } from '../support/clock-skew.ts'
import {
  checkResourceServer,
  checkRevocation,
  type Example,
} from '../support/resource-server.ts'
import { checkStatusLists } from '../support/status-lists.ts'
import { buildProgram } from '../support/toolchain.ts'

const folder = await buildProgram({
  name: 'rust',
  command: 'cargo',
  args: folder => ['build', '--quiet', '--locked', '--target-dir', folder],
  install: 'Rust 1.88 or newer',
})

const example: Example = {
  name: 'rust',
  command: join(folder, 'debug/orders'),
  args: () => [],
}

checkResourceServer(example)
checkRevocation(example)
checkStatusLists(example)
checkClockSkew(example)
