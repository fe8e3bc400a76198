// Who the audit log names where the command line did something.
import { userInfo } from 'node:os'
import t from 'tap'
import { operator } from '../../src/cli/terminal/operator.ts'

t.test("the actor is the operating system's user", async t => {
  t.equal(operator(), `cli:${userInfo().username}`)
})

t.test('a user without a name goes by its number, as in a container', async t => {
  const actor = operator(() => {
    throw new Error('ENOENT: no such user')
  })
  t.equal(actor, `cli:${process.getuid?.()}`)
})
