// A process to be killed: adds accounts to a store and disables every other one, as fast as it can. It says
// what was acknowledged, a line each, before it goes on. `node user-writer.ts STORE-URL PREFIX`.
import { openStore } from '../../../src/stores/open.ts'
import { someAccount } from '../../support/stores.ts'
import { PATIENT } from '../../support/until.ts'

const [, , url = '', prefix = ''] = process.argv
const {
  store: { directory, subjects },
} = await openStore({ ...PATIENT, url, clock: Date.now })

for (let number = 0; ; number++) {
  const account = someAccount(`${prefix}-${number}`)
  await directory.add(account)
  console.log(`added ${account.sub}`)
  if (number % 2 === 1) continue
  await subjects.setDisabled(account.tag, true)
  console.log(`disabled ${account.sub}`)
}
