// Clients and verifiers of OpenID Connect in Java, none of them ours, against the real process: each is given
// the issuer and a client's id, and nothing else but what is named.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import t from 'tap'
import {
  checkIdTokens,
  OPENID_CLIENTS,
  PORTAL,
  startOpenIdIssuer,
} from '../support/id-tokens.ts'
import { proves } from '../support/interop.ts'
import { lineProgramFor } from '../support/line-program.ts'
import { PROGRAMS } from '../support/programs.ts'
import { login, startIssuer, tokensFor } from '../support/resource-server.ts'
import { ORDERS, PASSWORD, postForm, USER } from '../support/server.ts'
import { buildProgram } from '../support/toolchain.ts'

const HERE = import.meta.dirname
const QUICK_START = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
// The password isn't ASCII, and Java reads its environment by the locale.
const CREDENTIALS = { LOGIN_NAME: USER, PASSWORD, LC_ALL: 'C.UTF-8' }
/** What a verifier may take that looks at no type; the audience keeps ID tokens and access tokens apart. */
const UNTYPED = ['without a type', 'of another type']
const RS256_CLIENT = { id: 'rs256-portal', idTokenAlgorithm: 'RS256' }
const SUB = (token: string) => decodeJwt(token).sub ?? ''

t.test('Quarkus', async t => {
  const folder = await buildProgram(PROGRAMS.quarkus)
  const { latchkey, storeUrl } = await startOpenIdIssuer(t)
  const program = lineProgramFor(
    t,
    'java',
    [...QUICK_START, '-jar', join(folder, 'quarkus-app/quarkus-run.jar')],
    {
      ISSUER: latchkey.url,
      CLIENT_ID: PORTAL,
      AUDIENCE: ORDERS,
      ...CREDENTIALS,
    },
  )
  t.test('logs in with openid, refreshes, verifies the ID tokens', async t => {
    proves(t, 'Quarkus', 'login', 'refresh')
    t.equal(await program.ask(), USER)
  })
  t.test('verifies our ID tokens, by discovery', async t => {
    proves(t, 'Quarkus', 'id token')
    await checkIdTokens(t, {
      issuer: { latchkey, storeUrl },
      verdict: token => program.ask(`id ${token}`),
      good: SUB,
      takes: UNTYPED,
    })
  })
  t.test('takes our access tokens as a service, by discovery', async t => {
    proves(t, 'Quarkus', 'verify')
    const { good, control, bad } = await tokensFor(latchkey, storeUrl)
    for (const token of [good, control]) {
      t.equal(await program.ask(`access ${token}`), SUB(good))
    }
    for (const [name, token] of Object.entries(bad)) {
      if (UNTYPED.includes(name)) continue
      t.match(await program.ask(`access ${token}`), /^refused/, name)
    }
    const { id_token: idToken } = await login(latchkey, { client_id: PORTAL })
    t.match(await program.ask(`access ${idToken}`), /^refused/, 'an ID token')
  })
})

t.test('Spring Security', async t => {
  const folder = await buildProgram(PROGRAMS.spring)
  const clients = [...OPENID_CLIENTS, { ...OPENID_CLIENTS.at(-1), ...RS256_CLIENT }]
  const { latchkey, storeUrl } = await startIssuer(t, { config: { clients } })
  const classpath = await readFile(join(folder, 'classpath'), 'utf8')
  const program = lineProgramFor(
    t,
    'java',
    [...QUICK_START, '-cp', classpath, join(HERE, 'spring/Login.java')],
    {
      ISSUER: latchkey.url,
      CLIENT_ID: PORTAL,
      RS256_CLIENT_ID: RS256_CLIENT.id,
      ...CREDENTIALS,
    },
  )
  t.test('logs in with openid, refreshes, asks for the claims', async t => {
    proves(t, 'Spring Security (Nimbus)', 'refresh')
    t.equal(await program.ask(), USER)
  })
  t.test('verifies our ID tokens, by discovery', async t => {
    proves(t, 'Spring Security (Nimbus)', 'id token')
    await checkIdTokens(t, {
      issuer: { latchkey, storeUrl },
      verdict: token => program.ask(`ES256 ${token}`),
      good: SUB,
      takes: ['without a type'],
    })
  })
  t.test('verifies as it comes what a client gets with RS256', async t => {
    const { id: client } = RS256_CLIENT
    const { id_token: good } = await login(latchkey, { client_id: client })
    t.equal(await program.ask(`RS256 ${good}`), SUB(good))
    const { id_token: other } = await login(latchkey, { client_id: PORTAL })
    t.match(await program.ask(`RS256 ${other}`), /^refused.*algorithm/)
  })
})

t.test('pac4j', async t => {
  const folder = await buildProgram(PROGRAMS.pac4j)
  const classpath = `@${folder}/arguments`
  const { latchkey, storeUrl } = await startOpenIdIssuer(t)
  const program = lineProgramFor(t, 'java', [...QUICK_START, classpath, 'Verifier'], {
    ISSUER: latchkey.url,
    CLIENT_ID: PORTAL,
  })

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
      good: SUB,
      // RFC 7519 §5.1: the type is optional.
      takes: ['without a type'],
    })
  })

  t.test('takes access tokens offline where their audience has typ: JWT', async t => {
    proves(t, 'pac4j', 'verify')
    const { latchkey, storeUrl } = await startOpenIdIssuer(t, {
      audiences: { [ORDERS]: { typ: 'JWT' } },
    })
    const program = lineProgramFor(t, 'java', [...QUICK_START, classpath, 'Verifier'], {
      ISSUER: latchkey.url,
      CLIENT_ID: ORDERS,
    })
    const { good, control, bad } = await tokensFor(latchkey, storeUrl)
    t.equal(await program.ask(`id ${good}`), SUB(good))
    t.match(await program.ask(`id ${control}`), /^refused.*at\+jwt/, 'of the usual type')
    const { 'without a type': _, ...refused } = bad
    for (const [name, token] of Object.entries(refused)) {
      t.match(await program.ask(`id ${token}`), /^refused/, name)
    }
    const { id_token: idToken } = await login(latchkey, { client_id: PORTAL })
    t.match(await program.ask(`id ${idToken}`), /^refused/, 'an ID token')
  })
})
