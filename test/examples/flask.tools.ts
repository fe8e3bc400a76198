// examples/flask, run as its README says.
import { python } from '../support/python.ts'
import { checkBoundTokens } from '../support/bound-tokens.ts'
import { checkClockSkew } from '../support/clock-skew.ts'
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
import { checkTenants } from '../support/tenants.ts'

const example: Example = {
  name: 'flask',
  command: await python(),
  args: port => ['-m', 'flask', '--app', 'app', 'run', '--port', String(port)],
}

checkResourceServer(example)
checkRevocation(example)
checkTenants(example, 'Redis')
checkStatusLists(example)
checkClockSkew(example)
checkStatusListsUnderStrain(example)
checkKeys(example)
checkBoundTokens(example)
