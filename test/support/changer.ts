// A process that changes a password when it is told to, so that it can be killed at any point. Its arguments:
// the store's URL, that of the accounts, what to do, a tag, and the hash. It says `ready`, waits for a line,
// and says `true`, or what went wrong.
import { once } from 'node:events'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open.ts'

const [url = '', accountsUrl = '', what = '', tag = '', passwordHash = ''] =
  process.argv.slice(2)
const accounts = { url: accountsUrl, plaintext: false, connections: 2, timeout: 5_000 }
const { store } = await openStore({ url, accounts, clock: systemClock })

const DEEDS: Readonly<Record<string, () => Promise<boolean>>> = {
  set: () => store.directory.setPassword(tag, passwordHash),
  async ticket() {
    const ticket = {
      tag,
      purpose: 'recovery' as const,
      hash: `ticket of ${tag}`,
      codes: [],
      address: 'address',
    }
    const change = { ticket, passwordHash, provesAddress: true, version: 0 }
    return (await store.tickets.setPassword(change)).kind === 'changed'
  },
}

process.stdout.write('ready\n')
await once(process.stdin, 'data')
process.stdin.destroy()
const said = await DEEDS[what]?.().catch((error: unknown) => Object(error).message)
process.stdout.write(`${said}\n`)
await store.close()
