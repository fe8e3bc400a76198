// Clients and verifiers of OpenID Connect in other languages, none of them ours, against the real process:
// each is given the issuer and a client's id, and nothing else.
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { runChild } from '../support/children.ts'
import { idTokensFor, OPENID_CLIENTS, PORTAL } from '../support/id-tokens.ts'
import { proves } from '../support/interop.ts'
import { startLineProgram, type LineProgram } from '../support/line-program.ts'
import { login, startIssuer, tokensFor } from '../support/resource-server.ts'
import { PASSWORD, postForm, USER } from '../support/server.ts'
import { buildProgram } from '../support/toolchain.ts'

const HERE = import.meta.dirname
const MAIL_CLIENT = {
  ...OPENID_CLIENTS[0],
  id: 'mail',
  audience: ['https://mail.example.com'],
}

const issuerOf = (t: Test) =>
  startIssuer(t, { config: { clients: [...OPENID_CLIENTS, MAIL_CLIENT] } })

/** Starts a program that ends with the test. */
function start(t: Test, ...args: Parameters<typeof startLineProgram>): LineProgram {
  const program = startLineProgram(...args)
  t.teardown(() => program.stop())
  return program
}

t.test('pac4j', async t => {
  const folder = await buildProgram({
    name: 'pac4j',
    source: 'test/interop/pac4j',
    command: 'mvn',
    args: folder => [
      '--quiet',
      '--batch-mode',
      'dependency:build-classpath',
      `-Dmdep.outputFile=${folder}/classpath`,
    ],
    install: 'Maven and a JDK (apt-get install maven default-jdk-headless)',
  })
  const classpath = `@${folder}/arguments`
  await runChild(
    'sh',
    [
      '-c',
      `printf -- '-cp\\n%s:%s\\n' "$(cat classpath)" "$PWD" >arguments && javac @arguments -d . "$0"`,
      join(HERE, 'pac4j/Verifier.java'),
    ],
    { cwd: folder },
  )
  const { latchkey, storeUrl } = await issuerOf(t)
  const program = start(
    t,
    'java',
    ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', classpath, 'Verifier'],
    { ISSUER: latchkey.url, CLIENT_ID: PORTAL },
  )

  t.test('takes our access tokens as a web service, by discovery', async t => {
    proves(t, 'pac4j', 'verify')
    const { good, control, bad } = await tokensFor(latchkey, storeUrl)
    const { sub } = decodeJwt(good)
    t.equal(await program.ask(`access ${good}`), sub)
    t.equal(await program.ask(`access ${control}`), sub)
    // It asks /userinfo, which takes our access tokens of either type and for each audience.
    const takes = ['meant for another audience', 'of another type']
    for (const [name, token] of Object.entries(bad)) {
      if (takes.includes(name)) continue
      t.equal(await program.ask(`access ${token}`), 'refused', name)
    }
    const idToken = (await login(latchkey, { client_id: PORTAL })).id_token
    t.equal(await program.ask(`access ${idToken}`), 'refused', 'an ID token')
    await postForm(`${latchkey.url}/revoke`, { token: good, client_id: 'mobile' })
    t.equal(await program.ask(`access ${good}`), 'refused', 'a revoked token')
  })

  t.test('verifies our ID tokens, by discovery', async t => {
    proves(t, 'pac4j', 'id token')
    await checkIdTokens(t, {
      issuer: { latchkey, storeUrl },
      verdict: token => program.ask(`id ${token}`),
      good: token => decodeJwt(token).sub ?? '',
      // RFC 7519 §5.1: the type is optional.
      takes: ['without a type'],
    })
  })
})

t.test('the crate openidconnect', async t => {
  const folder = await buildProgram({
    name: 'openidconnect',
    source: 'test/interop/openidconnect',
    command: 'cargo',
    args: folder => ['build', '--quiet', '--locked', '--target-dir', folder],
    install: 'Rust 1.88 or newer',
  })
  const { latchkey, storeUrl } = await issuerOf(t)
  const program = start(t, join(folder, 'debug/login'), [], {
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
  const folder = await buildProgram({
    name: 'go-oidc',
    source: 'test/keys/verifiers/go-oidc',
    command: 'go',
    args: folder => ['build', '-o', join(folder, 'verifier'), '.'],
    install: 'Go 1.26 or newer',
  })
  const { latchkey, storeUrl } = await issuerOf(t)
  const program = start(t, join(folder, 'verifier'), [], {
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

/** Has a verifier judge ID tokens of every kind. */
async function checkIdTokens(
  t: Test,
  {
    issuer: { latchkey, storeUrl },
    verdict,
    good = () => 'good',
    takes,
  }: {
    readonly issuer: Awaited<ReturnType<typeof startIssuer>>
    readonly verdict: (token: string) => Promise<string>
    /** What it says of a good one. */
    readonly good?: (token: string) => string
    /** Which of the forged ones it may take, by name. */
    readonly takes: readonly string[]
  },
): Promise<void> {
  const tokens = await idTokensFor(latchkey, storeUrl)
  for (const token of [tokens.good, tokens.control]) {
    t.equal(await verdict(token), good(token))
  }
  for (const [name, token] of Object.entries(tokens.bad)) {
    if (takes.includes(name)) continue
    const said = await verdict(token)
    t.not(said, good(tokens.good), `${name}: ${said}`)
  }
  t.equal(await verdict(tokens.good), good(tokens.good), 'and still takes a good one')
}
