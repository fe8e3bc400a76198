// The process beside the server that speaks to a PKCS#11 token. The calls of its library block, and a library
// that crashes takes its process with it: neither may happen where requests are answered.
import process from 'node:process'
import {
  attempt,
  openToken,
  type Driver,
  type TokenKey,
  type TokenOptions,
} from './pkcs11-token.ts'

/** What the process is told first. */
export interface OpenRequest extends TokenOptions {
  /** Where the package pkcs11js is imported from. */
  readonly driver: string
}

/** What it is asked then. */
export interface SignRequest {
  readonly id: number
  readonly index: number
  readonly data: Uint8Array
}

/** What it says: first which keys there are, or why not; then signatures. */
export type Answer =
  | { readonly keys: readonly TokenKey[] }
  | { readonly fault: string }
  | { readonly id: number; readonly signature: Uint8Array }
  | { readonly id: number; readonly fault: string }

const tell = (answer: Answer) => {
  process.send?.(answer)
}

process.once('disconnect', () => {
  process.exit()
})
process.once('message', async ({ driver, ...options }: OpenRequest) => {
  try {
    const { default: pkcs11js }: { default: Driver } = await import(driver)
    const { keys, sign } = openToken(pkcs11js, options)
    process.on('message', ({ id, index, data }: SignRequest) => {
      tell({ id, ...attempt(() => sign(index, Buffer.from(data))) })
    })
    tell({ keys })
    /* c8 ignore next 3 -- who hears of the fault ends this process, before it can write what it covered */
  } catch (error) {
    tell({ fault: String(error) })
  }
})
