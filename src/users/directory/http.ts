// A directory that is an HTTP endpoint of the operator's own: a signed POST with name and password, answered
// by 200 with who it is, 401 or 404. Signed as Standard Webhooks has it, so that libraries can check it.
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { signedHeaders } from '../../base/webhook-signature.ts'
import type { ExternalSettings, Lookup, NamedDirectory, Unavailable } from './external.ts'
import { readIdentity, readKnownIdentity } from './identity.ts'

/** What the configuration says of it. */
export interface HttpDirectorySettings extends ExternalSettings {
  readonly type: 'http'
  /** Where names and passwords are checked. */
  readonly url: string
  /** Where ids are looked up; undefined: nowhere. */
  readonly lookupUrl?: string | undefined
  /** Each signs; two at once while one is replaced. */
  readonly secrets: readonly string[]
  readonly mayBePrivate: boolean
}

/** An answer: its status, and its body where that is JSON. */
export interface PostAnswer {
  readonly status: number
  readonly body: unknown
}

/** Sends JSON. Rejects where no answer comes. */
export type PostJson = (request: {
  readonly url: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}) => Promise<PostAnswer>

export interface HttpDirectoryOptions {
  readonly settings: HttpDirectorySettings
  readonly post: PostJson
  readonly clock: Clock
  readonly random: Random
}

/** Makes the directory. */
export function createHttpDirectory(options: HttpDirectoryOptions): NamedDirectory {
  const { settings } = options
  const send = createSend(options)
  return {
    settings,
    givesHashes: false,
    async verify({ name, password }, signal) {
      const answer = await send(settings.url, { name, password }, signal)
      if ('fault' in answer) return answer
      if (isVerdict(answer, 401)) return { kind: 'wrong' }
      if (isVerdict(answer, 404)) return { kind: 'unknown' }
      const identity = identityIn(answer, readIdentity)
      return 'fault' in identity ? identity : { kind: 'ok', identity }
    },
    async lookup(id, signal): Promise<Lookup> {
      if (settings.lookupUrl === undefined) return { kind: 'unasked' }
      const answer = await send(settings.lookupUrl, { id }, signal)
      if ('fault' in answer) return answer
      if (isVerdict(answer, 404)) return { kind: 'gone' }
      const identity = identityIn(answer, readKnownIdentity)
      if ('fault' in identity) return identity
      return identity.externalId === id
        ? { kind: 'found', identity }
        : unavailable('its answer is about another id than the one that was asked for')
    },
    close: async () => {},
  }
}

function createSend({ settings, post, clock, random }: HttpDirectoryOptions) {
  return async (
    url: string,
    message: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<PostAnswer | Unavailable> => {
    const body = JSON.stringify(message)
    const id = `msg_${random.uuid()}`
    const timestamp = Math.floor(clock() / 1000)
    const headers = signedHeaders({ id, timestamp, body }, settings.secrets)
    try {
      return await post({ url, body, headers, signal })
    } catch (error) {
      return unavailable(`no answer (${codeOf(error)})`)
    }
  }
}

/** Whether the app says so, and not a proxy before it that has lost the app: the body is a JSON object. */
function isVerdict({ status, body }: PostAnswer, expected: 401 | 404): boolean {
  return status === expected && typeof body === 'object' && body !== null
}

/** Whether a status is about the request, as 422 for a name that it finds odd, and not about the app. */
function isOfQuestion(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 403, 404, 408, 429].includes(status)
}

function identityIn({ status, body }: PostAnswer, read: typeof readIdentity) {
  if (status !== 200) {
    const fault = `it answered ${status}, and not 200, 401 or 404 with a JSON object`
    return isOfQuestion(status)
      ? ({ kind: 'unavailable', scope: 'question', fault } as const)
      : unavailable(fault)
  }
  return (
    read(body) ??
    unavailable('its 200 is no JSON object with `id` and `name` of the right types')
  )
}

function unavailable(fault: string): Unavailable {
  return { kind: 'unavailable', fault }
}

/** What a fault is called: of the connection, where that is behind it. */
function codeOf(error: unknown): string {
  const { code, cause, message } = Object(error)
  return String(Object(cause).code ?? code ?? Object(cause).message ?? message)
}
