// POST /account, /account/verification, /account/recovery and /account/recovery/completion: what somebody may
// do who has no token. Only POST takes a ticket, so that no scanner of mails uses one up, and no answer says
// who has an account.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { malformedBody } from '../../../oauth/account-errors.ts'
import type { Caller } from '../../../self-service/redeem.ts'
import type { Recovery } from '../../../self-service/recovery.ts'
import type { Registration } from '../../../self-service/registration.ts'
import type { VerifyAddress } from '../../../self-service/verification.ts'
import type { SelfServiceLimits } from '../../callers/limits/self-service-limits.ts'
import { ownNetworkOf } from '../../callers/own-address.ts'
import { JSON_TYPE, takeJson } from '../../request/json-body.ts'
import { errors } from '../openapi/schemas.ts'
import {
  CompletionRequest,
  proofOf,
  readCompletion,
  readRecovery,
  readSignUp,
  readVerification,
  RecoveryRequest,
  SignUpRequest,
  VerificationRequest,
} from './bodies.ts'

const REFUSALS = errors(400, 413, 415, 429, 503)
const TAKEN = {
  202: { type: 'null', description: 'The same for every name and address.' },
}
const DONE = { 204: { type: 'null', description: 'Done.' } }

/** What the routes are made of; what is undefined isn't served. */
export interface WithoutTokenOptions {
  readonly limits: SelfServiceLimits
  readonly registration: Registration | undefined
  /** Whether only who was invited may sign up. */
  readonly invitedOnly: boolean
  readonly verifyAddress: VerifyAddress | undefined
  readonly recovery: Recovery | undefined
}

/** The routes that are switched on. */
export async function withoutTokenRoutes(
  app: FastifyInstance,
  { limits, registration, invitedOnly, verifyAddress, recovery }: WithoutTokenOptions,
): Promise<void> {
  takeJson(app)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    await limits.countNetwork(ownNetworkOf(request))
  })
  if (registration !== undefined) {
    signUpRoute(app, { limits, registration, invitedOnly })
  }
  if (verifyAddress !== undefined) verificationRoute(app, verifyAddress)
  if (recovery !== undefined) recoveryRoutes(app, { limits, recovery })
}

function signUpRoute(
  app: FastifyInstance,
  {
    limits,
    registration,
    invitedOnly,
  }: Pick<WithoutTokenOptions, 'limits' | 'invitedOnly'> & {
    readonly registration: Registration
  },
): void {
  app.post(
    '/account',
    {
      schema: {
        ...schemaOf('Sign up', 'signUp', { ...TAKEN, ...REFUSALS }),
        ...bodyOf(SignUpRequest),
      },
    },
    async (request, reply) => {
      const { ticket, name, password, attributes, locale } = readSignUp(request.body)
      const caller = callerOf(request)
      if (ticket !== undefined) {
        if (name !== undefined || attributes !== undefined) {
          throw malformedBody('a ticket stands in the place of name and attributes')
        }
        await registration.acceptInvitation({ ticket, password, caller })
      } else {
        if (invitedOnly) throw malformedBody('the ticket of an invitation is missing')
        if (name === undefined) throw malformedBody('the name is missing')
        await registration.signUp({
          name,
          password,
          attributes: attributes ?? {},
          locale,
          caller,
          isSpent: limits.isSpentFor('registration', caller.network),
        })
      }
      return reply.code(202).send()
    },
  )
}

function verificationRoute(app: FastifyInstance, verifyAddress: VerifyAddress): void {
  app.post(
    '/account/verification',
    {
      schema: {
        ...schemaOf('Verify an address', 'verifyAddress', { ...DONE, ...REFUSALS }),
        ...bodyOf(VerificationRequest),
      },
    },
    async (request, reply) => {
      await verifyAddress(proofOf(readVerification(request.body)), callerOf(request))
      return reply.code(204).send()
    },
  )
}

function recoveryRoutes(
  app: FastifyInstance,
  {
    limits,
    recovery,
  }: Pick<WithoutTokenOptions, 'limits'> & { readonly recovery: Recovery },
): void {
  app.post(
    '/account/recovery',
    {
      schema: {
        ...schemaOf('Ask for a new password', 'requestRecovery', {
          ...TAKEN,
          ...REFUSALS,
        }),
        ...bodyOf(RecoveryRequest),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request)
      const isSpent = limits.isSpentFor('recovery', caller.network)
      await recovery.request({ ...readRecovery(request.body), caller, isSpent })
      return reply.code(202).send()
    },
  )
  app.post(
    '/account/recovery/completion',
    {
      schema: {
        ...schemaOf('Set a new password with a ticket', 'completeRecovery', {
          ...DONE,
          ...REFUSALS,
        }),
        ...bodyOf(CompletionRequest),
      },
    },
    async (request, reply) => {
      const { password, ...proof } = readCompletion(request.body)
      const caller = callerOf(request)
      await recovery.complete({ proof: proofOf(proof), password, caller })
      return reply.code(204).send()
    },
  )
}

function callerOf(request: FastifyRequest): Caller {
  return { network: ownNetworkOf(request), origin: request }
}

function schemaOf(summary: string, operationId: string, response: object) {
  return {
    tags: ['Account'],
    security: [],
    summary,
    operationId,
    response,
  }
}

function bodyOf<Body>(body: Body) {
  return { consumes: [JSON_TYPE], body }
}
