// Keys in a PKCS#11 token (keys.pkcs11): a smart card, an HSM, SoftHSM. Their private halves never leave it;
// it signs when it is asked.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { monotonicClock, type Monotonic } from '../../base/clock.ts'
import { thumbprint } from '../make.ts'
import type { Answer, OpenRequest, SignRequest } from './pkcs11-process.ts'
import type { TokenKey } from './pkcs11-token.ts'
import { SignerUnavailable, type ExternalKey, type KeySource } from './key-source.ts'

/** How often a failed token is opened again, at most; milliseconds. */
const RETRY_MS = 1_000

const CLOSE_MS = 2_000

const PROCESS = new URL(`./pkcs11-process${extname(import.meta.url)}`, import.meta.url)

export interface Pkcs11Options extends OpenRequest {
  /** How often a watched token is asked which keys it has, in milliseconds. */
  readonly intervalMs?: number
  /** How long the token may take to open, and to sign: logins wait for it. Milliseconds. */
  readonly openMs?: number
  readonly signMs?: number
  /** Default: the system's. */
  readonly monotonic?: Monotonic
}

/** A token behind its process. */
interface Opened {
  readonly keys: readonly TokenKey[]
  /** Rejects when the token refuses, takes too long, or is gone. */
  sign(kid: string, data: Buffer): Promise<Buffer>
  /** Lets the process end, and ends it if it doesn't. */
  close(): Promise<void>
}

/**
 * Opens the token and lists its keys.
 *
 * @throws Error when it can't be opened
 */
export async function openPkcs11({
  intervalMs = 60_000,
  openMs = 10_000,
  signMs = 1_500,
  monotonic = monotonicClock,
  ...request
}: Pkcs11Options): Promise<KeySource> {
  const open = () => openProcess(request, { openMs, signMs })
  let opened = await open()
  let keys = list(opened.keys)
  let renewal: Promise<void> | undefined
  let triedAt = -Infinity
  let report: (error: unknown) => void = () => {}
  let timer: NodeJS.Timeout | undefined

  // A new process sees new keys, and is the only way back from a library that hangs, or that has lost its
  // device.
  const renew = async () => {
    const last = opened
    opened = await open()
    if (kidsOf(opened.keys) !== kidsOf(last.keys)) keys = list(opened.keys)
    // Let pending signatures finish.
    await wait(signMs)
    await last.close()
  }
  const renewOnce = () => {
    if (renewal !== undefined || monotonic() - triedAt < RETRY_MS) return
    triedAt = monotonic()
    renewal = renew()
      .catch(report)
      .finally(() => {
        renewal = undefined
      })
  }

  function list(found: readonly TokenKey[]): ExternalKey[] {
    return found.map(({ name, alg, publicJwk }) => {
      const kid = thumbprint(publicJwk)
      return {
        name,
        kid,
        alg,
        publicJwk,
        signing: { sign: data => sign(kid, data) },
      }
    })
  }

  async function sign(kid: string, data: Buffer): Promise<Buffer> {
    try {
      return await opened.sign(kid, data)
    } catch (error) {
      renewOnce()
      throw new SignerUnavailable(error)
    }
  }

  return {
    keys: () => keys,
    watch(onFault) {
      report = onFault
      timer = setInterval(renewOnce, intervalMs).unref()
    },
    async close() {
      clearInterval(timer)
      await renewal
      await opened.close()
    },
  }
}

function kidsOf(keys: readonly TokenKey[]): string {
  return keys
    .map(({ name, publicJwk }) => `${name} ${thumbprint(publicJwk)}`)
    .sort()
    .join()
}

async function openProcess(
  request: OpenRequest,
  { openMs, signMs }: { readonly openMs: number; readonly signMs: number },
): Promise<Opened> {
  // The library's errors go to our standard error; its standard output is dropped.
  const child = fork(PROCESS, {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  try {
    child.send(request)
    const answer = await firstAnswer(child, openMs)
    if (!('keys' in answer)) {
      throw new Error(
        'fault' in answer ? answer.fault : 'its first message lists no keys',
      )
    }
    return toOpened(child, answer.keys, signMs)
  } catch (error) {
    child.kill('SIGKILL')
    throw new Error('keys.pkcs11: the token cannot be opened', { cause: error })
  }
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null
}

async function firstAnswer(child: ChildProcess, openMs: number): Promise<Answer> {
  const signal = AbortSignal.timeout(openMs)
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`its process ended with ${code}`)
  })
  const [answer] = await Promise.race([once(child, 'message', { signal }), ended])
  return answer
}

interface Waiting {
  readonly resolve: (signature: Buffer) => void
  readonly reject: (error: unknown) => void
}

function toOpened(
  child: ChildProcess,
  keys: readonly TokenKey[],
  signMs: number,
): Opened {
  const waiting = new Map<number, Waiting>()
  let lastId = 0
  child.on('message', (answer: Exclude<Answer, { keys: unknown }> & { id: number }) => {
    const asker = waiting.get(answer.id)
    if ('signature' in answer) asker?.resolve(Buffer.from(answer.signature))
    else asker?.reject(new Error(answer.fault))
  })
  child.once('exit', code => {
    for (const { reject } of waiting.values()) {
      reject(new Error(`its process ended with ${code}`))
    }
  })
  const indexOf = new Map(
    keys.map(({ publicJwk }, index) => [thumbprint(publicJwk), index]),
  )

  return {
    keys,
    async sign(kid, data) {
      const index = indexOf.get(kid)
      if (index === undefined || !child.connected) {
        throw new Error('the token has no such key')
      }
      const id = ++lastId
      const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
      const timer = setTimeout(
        () => reject(new Error(`no signature within ${signMs} ms`)),
        signMs,
      )
      waiting.set(id, { resolve, reject })
      child.send({ id, index, data } satisfies SignRequest)
      return promise.finally(() => {
        clearTimeout(timer)
        waiting.delete(id)
      })
    },
    async close() {
      if (child.connected) child.disconnect()
      // A process that hangs in its library receives nothing.
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
      }, CLOSE_MS)
      if (isRunning(child)) await once(child, 'exit')
      clearTimeout(timer)
    },
  }
}
