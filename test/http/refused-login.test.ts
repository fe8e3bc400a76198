// Where a refused login came from, when the client that would say so can't be asked.
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { createNoteRefusedLogin } from '../../src/http/callers/refused-login.ts'
import { invalidGrant, temporarilyUnavailable } from '../../src/oauth/errors.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import type { RefusedLogin } from '../../src/users/refusals/notes.ts'

t.test('a client that cannot be asked names nobody else', async t => {
  const noted: RefusedLogin[] = []
  const note = createNoteRefusedLogin({
    refusals: { note: refused => noted.push(refused) },
    assertions: { claimant: () => undefined },
    clients: { find: () => undefined, isSecret: () => false },
    async clientOf() {
      throw new StoreUnavailable(undefined, 'away')
    },
  })
  const request = {
    body: { grant_type: 'password', client_id: 'web', username: 'ann' },
    headers: { 'latchkey-forwarded-for': '203.0.113.9' },
    ip: '192.0.2.1',
    raw: { socket: { remoteAddress: '192.0.2.1' } },
  } as unknown as FastifyRequest
  await note(request, invalidGrant('password_wrong'))
  t.match(noted, [{ name: 'ann', clientId: 'web', network: '192.0.2.0/24' }])
  await note(request, temporarilyUnavailable('directory_unavailable', 5))
  t.match(noted[1], { reason: 'directory_unavailable', retryAfterMs: 5000 })
})
