// Tokens that are bound to a key (DPoP, RFC 9449), at a resource server: taken with a proof that the caller
// made for this very request, and with no other.
import t from 'tap'
import { proves } from './interop.ts'
import { createProver, login } from './proxies.ts'
import {
  call,
  linkTo,
  startExample,
  startIssuer,
  type Example,
} from './resource-server.ts'

/** Holds an example that knows its PUBLIC_URL to it. */
export function checkBoundTokens(example: Example): void {
  t.test(`${example.name} takes bound tokens with their proofs alone`, async t => {
    proves(t, linkTo(example), 'dpop')
    const { latchkey } = await startIssuer(t, { config: { dpop: { nonce: false } } })
    const api = await startExample(example, latchkey.url)
    t.teardown(() => api.stop())
    let skewMs = 0
    const prove = await createProver(() => Date.now() + skewMs)
    const proveAt = async (offsetMs: number) => {
      skewMs = offsetMs
      const proof = await prove('GET', `${api.url}/orders`, token)
      skewMs = 0
      return proof
    }
    const { access_token: token } = await login(latchkey, { prove })
    const { access_token: unbound } = await login(latchkey)
    const url = `${api.url}/orders`

    /** A request by the scheme DPoP, with that proof. */
    const present = (proof: string, presented = token) =>
      call(api, undefined, {
        headers: { authorization: `DPoP ${presented}`, dpop: proof },
      })

    t.equal((await present(await prove('GET', url, token))).status, 200)
    const queried = await present(await prove('GET', `${url}?page=2#top`, token))
    t.equal(queried.status, 200, 'query and fragment say nothing')

    const other = await createProver()
    const used = await prove('GET', url, token)
    t.equal((await present(used)).status, 200)
    const proofs: Record<string, string> = {
      'used before': used,
      'for another method': await prove('POST', url, token),
      'for another path': await prove('GET', `${api.url}/carts`, token),
      'for another host': await prove('GET', 'https://other.example.com/orders', token),
      'for no URL at all': await prove('GET', 'orders', token),
      'for another token': await prove('GET', url, unbound),
      'for no token': await prove('GET', url),
      'by another key': await other('GET', url, token),
      'two minutes old': await proveAt(-120_000),
      'two minutes ahead': await proveAt(120_000),
      'that is no JWT': 'xyz',
      'that is the token': token,
      'that is empty': '',
    }
    for (const [name, proof] of Object.entries(proofs)) {
      const { status, challenge } = await present(proof)
      t.equal(status, 401, `a proof ${name}`)
      t.match(challenge, /^DPoP .*error="invalid_dpop_proof".*algs="ES256 /)
    }

    for (const alg of ['EdDSA', 'Ed25519', 'PS256', 'RS256']) {
      const proveBy = await createProver(Date.now, alg)
      const { access_token: another } = await login(latchkey, { prove: proveBy })
      const answer = await present(await proveBy('GET', url, another), another)
      t.equal(answer.status, 200, `a key for ${alg}`)
    }

    t.equal(
      (await call(api, token)).status,
      401,
      'the token as if it were bound to nothing',
    )
    const odd = await present(await prove('GET', url, unbound), unbound)
    t.equal(odd.status, 401, 'a token that is bound to nothing, as if it were')
    t.match(odd.challenge, /error="invalid_token"/)
    t.match((await call(api)).challenge, /^Bearer.*, DPoP .*algs=/, 'both are asked for')
  })
}
