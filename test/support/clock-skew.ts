// A verifier's clock that isn't the issuer's: some seconds off is the daily case of two machines, minutes
// off is a token out of its time.
import t from 'tap'
import { call, startExample, type Example } from './resource-server.ts'
import { now, standIn } from './status-lists.ts'

/** Between machines that keep their clocks by NTP. */
const NEAR_SECONDS = 2
/** Beyond the leeway of every example. */
const FAR_SECONDS = 120
const LIFE_SECONDS = 600

const TAKEN: Record<string, number> = {
  'behind by two seconds, by which token and list are from the future': NEAR_SECONDS,
  'ahead by two seconds, by which the token has just expired':
    -LIFE_SECONDS - NEAR_SECONDS,
}

const REFUSED: Record<string, number> = {
  'far behind, by which the token is not good yet': FAR_SECONDS,
  'far ahead, by which the token expired long ago': -LIFE_SECONDS - FAR_SECONDS,
}

/** Holds an example that verifies offline to it: clocks may differ by some seconds, and not by minutes. */
export function checkClockSkew(example: Example): void {
  t.test(`${example.name} bears a clock that differs from the issuer's`, async t => {
    const issuer = await standIn(t)
    const api = await startExample(example, issuer.url)
    t.teardown(() => api.stop())

    /** What the example answers to a token that was issued so many seconds from its now. */
    async function statusAt(offset: number, list: string) {
      const iat = now() + offset
      const early = { iat: now() + Math.max(offset, 0) }
      const { status } = await issuer.statusOf(list, { claims: early })
      const times = { iat, nbf: iat, exp: iat + LIFE_SECONDS }
      return (await call(api, await issuer.tokenWith({ status, ...times }))).status
    }

    t.equal(await statusAt(0, 'right'), 200, 'the same clock')
    for (const [name, offset] of Object.entries(TAKEN)) {
      t.equal(await statusAt(offset, `near${offset}`), 200, name)
    }
    for (const [name, offset] of Object.entries(REFUSED)) {
      t.equal(await statusAt(offset, 'right'), 401, name)
    }
  })
}
