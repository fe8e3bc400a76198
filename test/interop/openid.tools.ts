// Clients and verifiers of OpenID Connect in Rust and Go, none of them ours, against the real process: each
// is given the issuer and the id of a client, and nothing else.
import { join } from 'node:path'
import t from 'tap'
import {
  checkIdTokens,
  idTokensFor,
  PORTAL,
  startOpenIdIssuer,
} from '../support/id-tokens.ts'
import { proves } from '../support/interop.ts'
import { lineProgramFor } from '../support/line-program.ts'
import { login } from '../support/resource-server.ts'
import { PROGRAMS } from '../support/programs.ts'
import { PASSWORD, USER } from '../support/server.ts'
import { buildProgram, CARGO_PROGRAMS } from '../support/toolchain.ts'

t.test('the crate openidconnect', async t => {
  await buildProgram(PROGRAMS.openidconnect)
  const { latchkey, storeUrl } = await startOpenIdIssuer(t)
  const program = lineProgramFor(t, join(CARGO_PROGRAMS, 'login'), [], {
    ISSUER: latchkey.url,
    CLIENT_ID: PORTAL,
    USERNAME: USER,
    PASSWORD,
  })
  t.test('logs in, verifies ID token and at_hash, asks for the claims', async t => {
    proves(t, 'openidconnect (Rust)', 'login')
    t.equal(await program.ask(), USER)
  })
  t.test('verifies our ID tokens, by discovery', async t => {
    proves(t, 'openidconnect (Rust)', 'id token')
    await checkIdTokens(t, {
      issuer: { latchkey, storeUrl },
      verdict: token => program.ask(token),
      takes: ['without a type'],
    })
  })
})

t.test("go-oidc's default verifier", async t => {
  const folder = await buildProgram(PROGRAMS.goOidc)
  const { latchkey, storeUrl } = await startOpenIdIssuer(t)
  const program = lineProgramFor(t, join(folder, 'verifier'), [], {
    ISSUER: latchkey.url,
    AUDIENCE: PORTAL,
  })
  const now = () => Math.floor(Date.now() / 1000)
  t.test('verifies our ID tokens, by discovery', async t => {
    proves(t, 'go-oidc', 'id token')
    await checkIdTokens(t, {
      issuer: { latchkey, storeUrl },
      verdict: token => program.ask(`${now()} ${token}`),
      // It looks at no type.
      takes: ['without a type', 'of another type'],
    })
  })
  t.test('holds at_hash to the access token', async t => {
    const { good, access } = await idTokensFor(latchkey, storeUrl)
    const { access_token: other } = await login(latchkey, { client_id: PORTAL })
    t.equal(await program.ask(`${now()} ${good} ${access}`), 'good')
    t.match(await program.ask(`${now()} ${good} ${other}`), /hash/)
  })
})
