// examples/go, built and run as its README says.
import { join } from 'node:path'
import { checkClockSkew } from '../support/clock-skew.ts'
import { PROGRAMS } from '../support/programs.ts'
import {
  checkResourceServer,
  checkRevocation,
  type Example,
} from '../support/resource-server.ts'
import { checkStatusLists } from '../support/status-lists.ts'
import { buildProgram } from '../support/toolchain.ts'

const folder = await buildProgram(PROGRAMS.go)

const example: Example = { name: 'go', command: join(folder, 'orders'), args: () => [] }

checkResourceServer(example)
checkRevocation(example)
checkStatusLists(example)
checkClockSkew(example)
