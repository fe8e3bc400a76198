// examples/express, run as its README says.
import { checkClockSkew } from '../support/clock-skew.ts'
import {
  checkResourceServer,
  checkRevocation,
  type Example,
} from '../support/resource-server.ts'
import { checkStatusLists } from '../support/status-lists.ts'

const example: Example = {
  name: 'express',
  command: process.execPath,
  args: () => ['server.ts'],
}

checkResourceServer(example)
checkRevocation(example)
checkStatusLists(example)
checkClockSkew(example)
