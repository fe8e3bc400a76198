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

/** The first message to the process. */
export interface OpenRequest extends TokenOptions {
  /** Where the package pkcs11js is imported from. */
  readonly driver: string
}

/** The further messages. */
export interface SignRequest {
  readonly id: number
  readonly index: number
  readonly data: Uint8Array
}

/** Its answers: first the keys, or why there are none; then signatures. */
export type Answer =
  | { readonly keys: readonly TokenKey[] }
  | { readonly fault: string }
  | { readonly id: number; readonly signature: Uint8Array }
  | { readonly id: number; readonly fault: string }

const send = (answer: Answer) => {
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
      send({ id, ...attempt(() => sign(index, Buffer.from(data))) })
    })
    send({ keys })
    /* c8 ignore next 3 -- the parent ends this process on a fault, before it can write its coverage */
  } catch (error) {
    send({ fault: String(error) })
  }
})
