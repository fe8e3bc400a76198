// examples/spring-boot, built by Maven.
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

const folder = await buildProgram(PROGRAMS.springBoot)

const example: Example = {
  name: 'spring-boot',
  command: 'java',
  args: () => ['-jar', join(folder, 'orders.jar')],
}

checkResourceServer(example)
checkRevocation(example)
checkStatusLists(example)
checkClockSkew(example)
