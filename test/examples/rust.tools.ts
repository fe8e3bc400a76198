// examples/rust, built by Cargo.
import { join } from 'node:path'
import { checkClockSkew } from '../support/clock-skew.ts'
import { PROGRAMS } from '../support/programs.ts'
import {
  checkResourceServer,
  checkRevocation,
  type Example,
} from '../support/resource-server.ts'
import { checkStatusLists } from '../support/status-lists.ts'
import { buildProgram, CARGO_PROGRAMS } from '../support/toolchain.ts'

await buildProgram(PROGRAMS.rust)

const example: Example = {
  name: 'rust',
  command: join(CARGO_PROGRAMS, 'orders'),
  args: () => [],
}

checkResourceServer(example)
checkRevocation(example)
checkStatusLists(example)
checkClockSkew(example)
