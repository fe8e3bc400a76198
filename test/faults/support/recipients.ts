// People who have something sent to them, and how they ask for it.
import { systemClock } from '../../../src/base/clock.ts'
import { openStore } from '../../../src/stores/open.ts'
import { someAccount } from '../../support/stores.ts'
import { PATIENT } from '../../support/until.ts'

/** The configuration under which they may ask as often as a suite wants them to. */
export const RECOVERY = {
  attributes: { email: { unique: true } },
  selfService: { recovery: true, perNetwork: { max: 1_000_000 } },
}

/** The name of one of them. */
export const recipient = (place: number) => `person-${place}`
/** The address of whoever has that name. */
export const addressOf = (name: string) => `${name}@example.com`

/** Adds them. */
export async function addRecipients(storeUrl: string, count: number): Promise<void> {
  const { store } = await openStore({ ...PATIENT, url: storeUrl, clock: systemClock })
  try {
    for (let place = 0; place < count; place++) {
      const name = recipient(place)
      const attributes = { email: addressOf(name) }
      await store.directory.add(
        someAccount(name, { name, foldedName: name, attributes, emailVerified: true }),
      )
    }
  } finally {
    await store.close()
  }
}

/** Posts to a route of `/account`. Resolves with the status; 0: no answer came. */
export async function post(url: string, path: string, body: object): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const request = { method: 'POST', headers, body: JSON.stringify(body) }
  return fetch(`${url}/account${path}`, request).then(
    async answer => {
      await answer.text()
      return answer.status
    },
    () => 0,
  )
}

/** Asks for a new password. Resolves with whether it was noted: whatever was is sent. */
export async function recover(url: string, name: string): Promise<boolean> {
  return (await post(url, '/recovery', { name })) === 202
}

/** What arrived more than once, with how often: `person-3 ×2`. */
export function repeated(arrived: ReadonlyMap<string, number>): string[] {
  return [...arrived]
    .filter(([, times]) => times > 1)
    .map(([name, times]) => `${name} ×${times}`)
}
