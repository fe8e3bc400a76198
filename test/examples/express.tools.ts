// examples/express, run as its README says.
import t from 'tap'
import { checkClockSkew } from '../support/clock-skew.ts'
import { checkBoundTokens } from '../support/bound-tokens.ts'
import { installExample } from '../support/installed-example.ts'
import {
  checkResourceServer,
  checkRevocation,
  type Example,
} from '../support/resource-server.ts'
import {
  checkKeys,
  checkStatusLists,
  checkStatusListsUnderStrain,
} from '../support/status-lists.ts'

const example: Example = {
  name: 'express',
  folder: await installExample(t, 'express'),
  command: process.execPath,
  args: () => ['server.ts'],
}

checkResourceServer(example)
checkRevocation(example)
checkStatusLists(example)
checkClockSkew(example)
checkStatusListsUnderStrain(example)
checkKeys(example)
checkBoundTokens(example)
