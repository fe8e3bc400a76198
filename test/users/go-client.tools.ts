// golang.org/x/oauth2, as its users have it: it sends each failing login twice, with the client's credentials
// in the header and then in the body.
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startChild } from '../support/children.ts'
import { proves } from '../support/interop.ts'
import { PROGRAMS } from '../support/programs.ts'
import {
  PASSWORD,
  startLatchkey,
  STORES,
  USER,
  WEB_SECRET,
  type LatchkeyProcess,
} from '../support/server.ts'
import { buildProgram } from '../support/toolchain.ts'

const ALLOWANCE = 5
const CLIENTS = [
  { id: 'web', secret: WEB_SECRET },
  { id: 'mobile', secret: '' },
]

const folder = await buildProgram(PROGRAMS.goClient)

/** What becomes of each password, in turn. */
async function logIn(
  url: string,
  { id, secret }: (typeof CLIENTS)[number],
  passwords: readonly string[],
): Promise<string[]> {
  const child = startChild(join(folder, 'logins'), [url, id, secret, USER], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(passwords.join('\n'))
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')])
  return output.trim().split('\n')
}

for (const { name: storeName, make } of STORES) {
  for (const client of CLIENTS) {
    t.test(
      `five wrong logins of ${client.id} through x/oauth2 count five, on ${storeName}`,
      async t => {
        proves(t, 'golang.org/x/oauth2', 'login')
        const store = await make()
        t.teardown(() => store.remove())
        const throttle = {
          perAddress: { max: 1_000_000, window: '1m' },
          logins: { perName: ALLOWANCE, perNetwork: 1_000_000, perPassword: 1_000_000 },
        }
        const server = await startLatchkey({ storeUrl: store.url, config: { throttle } })
        t.teardown(() => server.stop())

        const wrong = Array.from({ length: ALLOWANCE }, (_, index) => `wrong ${index}`)
        t.same(await logIn(server.url, client, [...wrong.slice(1), PASSWORD]), [
          ...Array(ALLOWANCE - 1).fill('invalid_grant 400'),
          'ok',
        ])
        t.same(
          reasons(server),
          wrong.slice(1).flatMap(() => ['password_wrong', 'password_repeated']),
          'each was sent twice',
        )
        t.same(
          await logIn(server.url, client, [
            ...wrong.map(password => `also ${password}`),
            PASSWORD,
          ]),
          [...Array(ALLOWANCE).fill('invalid_grant 400'), 'slow_down 429'],
        )
      },
    )
  }
}

function reasons({ lines }: LatchkeyProcess): string[] {
  return lines
    .filter(line => line.includes('"login.failed"'))
    .map(line => JSON.parse(line).audit.reason)
}
