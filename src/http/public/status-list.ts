// GET /status/:list: a status list for verifiers (IETF Token Status List §8). Served from memory, also while
// the store is away.
import { constants, gzipSync } from 'node:zlib'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Negotiator from 'negotiator'
import { Type } from 'typebox'
import { OAuthError } from '../../oauth/errors.ts'
import {
  LIFE_MS,
  STATUS_LIST_TYP,
  type StatusDocument,
} from '../../status-lists/documents.ts'
import type { StatusService } from '../../status-lists/service.ts'
import { matchesEtag } from '../request/etag.ts'
import { algorithmQuery, askedAlgorithm, judgedByHandler } from './algorithm-query.ts'
import { errors, jsonResponse } from './openapi/schemas.ts'

const MEDIA_TYPE = `application/${STATUS_LIST_TYP}`

const StatusLists = Type.Object(
  { status_lists: Type.Array(Type.String()) },
  { title: 'StatusLists' },
)

const LIST_SCHEMA = {
  tags: ['Discovery'],
  summary: 'The status list of some access tokens',
  description:
    "A JWT of type statuslist+jwt (IETF Token Status List): the bit at a token's `idx` is set " +
    'once the token is revoked.',
  operationId: 'statusList',
  security: [],
  querystring: Type.Object({
    ...algorithmQuery(
      "The algorithm that signs the list, as in a token's claim " +
        'status.status_list.uri.',
    ).properties,
    time: Type.Optional(
      Type.Integer({
        description:
          'The state at another time (§8.4), in seconds. No earlier state is ' +
          'kept, so the answer is 501.',
      }),
    ),
  }),
  params: Type.Object({
    list: Type.String({
      description: 'From the claim status.status_list.uri of a token.',
    }),
  }),
  response: {
    200: {
      description: 'The list.',
      content: {
        [MEDIA_TYPE]: {
          schema: Type.String(),
          example: 'eyJhbGciOiJFUzI1NiIsInR5cCI6InN0YXR1c2xpc3Qrand0In0.e30.c2lnbmF0dXJl',
        },
      },
    },
    304: { description: 'The copy is still valid.', type: 'null' },
    ...errors(400, 404, 501, 503),
  },
}

const LISTS_SCHEMA = {
  tags: ['Discovery'],
  summary: 'The URLs of all status lists',
  operationId: 'statusLists',
  security: [],
  querystring: algorithmQuery('What signs the lists.'),
  response: {
    200: jsonResponse('The URLs.', StatusLists, {
      status_lists: ['https://id.example.com/status/1'],
    }),
    ...errors(400, 503),
  },
}

export interface StatusRouteOptions {
  readonly status: Pick<StatusService, 'find' | 'uris' | 'maxAge'>
}

/** The status lists, and the list of them (§9.3). */
export async function statusRoute(
  app: FastifyInstance,
  { status }: StatusRouteOptions,
): Promise<void> {
  // A cache in front may go on while no server answers: the list's own `exp` ends it.
  const cacheControl = `public, max-age=${status.maxAge}, stale-if-error=${LIFE_MS / 1000}`

  app.get<{ Params: { list: string } }>(
    '/status/:list',
    {
      schema: LIST_SCHEMA,
      validatorCompiler: judgedByHandler,
    },
    async (request, reply) => {
      // §8.4: the state at another time; we keep none.
      if (Object(request.query).time !== undefined) {
        throw new OAuthError(501, 'not_implemented', {
          description: 'lists are served as they are now',
          reason: 'http_501',
        })
      }
      const document = await status.find(request.params.list, askedAlgorithm(request))
      if (document === undefined) {
        throw new OAuthError(404, 'not_found', {
          description: 'there is no such status list',
          reason: 'http_404',
        })
      }
      const { etag, encoding, body } = representation(document, takesGzip(request))
      reply.headers({
        'cache-control': cacheControl,
        etag,
        vary: 'accept-encoding',
      })
      if (matchesEtag(request.headers['if-none-match'], etag)) {
        return reply.code(304).send()
      }
      if (encoding !== undefined) reply.header('content-encoding', encoding)
      return reply.type(MEDIA_TYPE).send(body())
    },
  )

  app.get(
    '/status',
    {
      schema: LISTS_SCHEMA,
      validatorCompiler: judgedByHandler,
    },
    async (request, reply) => {
      const uris = status.uris(askedAlgorithm(request))
      reply.header('cache-control', cacheControl)
      return { status_lists: uris }
    },
  )
}

// Base64 of what is compressed already: a quarter is to be had, by shorter codes for its 64 letters. Looking
// for repetitions takes ten times as long and finds none.
const GZIP = { strategy: constants.Z_HUFFMAN_ONLY }

const zipped = new WeakMap<StatusDocument, Buffer>()

// Other bytes, another strong tag (RFC 9110 §8.8.3).
function representation(document: StatusDocument, gzip: boolean) {
  if (!gzip) {
    return {
      etag: `"${document.tag}"`,
      encoding: undefined,
      body: () => document.jwt,
    }
  }
  return {
    etag: `"${document.tag}.gz"`,
    encoding: 'gzip',
    body: () => zippedOnce(document),
  }
}

function zippedOnce(document: StatusDocument): Buffer {
  const zip = zipped.get(document) ?? gzipSync(document.jwt, GZIP)
  zipped.set(document, zip)
  return zip
}

// RFC 9110 §12.5.3.
function takesGzip({ headers }: FastifyRequest): boolean {
  return new Negotiator({ headers }).encoding(['gzip', 'identity']) === 'gzip'
}
