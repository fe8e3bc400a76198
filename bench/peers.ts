// npm run bench:peers: refreshes beside other servers of OAuth for Node.js, in one run: CPU and requests a
// second of each, and of a second Latchkey. docs/performance.md says how they are set up, and reads the
// table. They are installed into bench/peers, apart from the project's own packages.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { runChild } from '../test/support/children.ts'
import { freePort } from '../test/support/free-port.ts'
import { postForm } from '../test/support/server.ts'
import { HERE, type Measured, measured, METERED, start } from './child.ts'
import { openCounter } from './instructions.ts'
import { head } from './machine.ts'
import { AUDIENCE, CLIENT, PASSWORD, USER } from './parties.ts'
import { PIN_OPTION, usePins } from './pinning.ts'
import { type Cast, startBeside, startCast } from './processes.ts'
import { printRows, type Row } from './report.ts'
import {
  type Figures,
  inChangingOrder,
  inTurn,
  numbersOf,
  TRIAL_OPTIONS,
  type Sample,
  windowOf,
} from './trial.ts'

/** How a peer is started: its one argument, as JSON. */
interface PeerOptions {
  readonly port: number
  readonly redisUrl: string
  readonly client: string
  readonly user: string
  readonly password: string
  readonly audience: string
  readonly scope: string
  /** Who signs the tokens of a server that leaves that to its model. */
  readonly signer?: 'fast-jwt' | 'jsonwebtoken'
}

interface Peer {
  readonly name: string
  readonly module: string
  readonly signer?: PeerOptions['signer']
  /** The most that a refresh of ours may cost, as a share of its CPU. */
  readonly atMost: number
}

const PEERS: readonly Peer[] = [
  {
    name: 'node-oauth2-server, jsonwebtoken',
    module: 'oauth2-server.js',
    signer: 'jsonwebtoken',
    atMost: 0.55,
  },
  {
    name: 'node-oauth2-server, fast-jwt',
    module: 'oauth2-server.js',
    signer: 'fast-jwt',
    atMost: 0.55,
  },
  { name: 'oidc-provider', module: 'oidc-provider.js', atMost: 0.4 },
]

const { values } = parseArgs({
  allowNegative: true,
  options: {
    ...TRIAL_OPTIONS,
    ...PIN_OPTION,
  },
})
const {
  'warm-up': warmUp,
  rounds,
  starts,
  requests,
  connections,
} = numbersOf(values, ['rounds', 'warm-up', 'starts', 'requests', 'connections'])

const SCOPE = 'profile orders:read'
const FOLDER = join(HERE, 'peers')
const hashing = { memoryKiB: 64, passes: 1, parallelism: 1, concurrency: 1 }

async function main(): Promise<void> {
  await install()
  usePins(values.pin)
  const samples = PEERS.map((): Sample[][] => [])
  const counter = await openCounter()
  let counted: readonly number[] = []
  for (let start = 0; start < starts; start++) {
    await using parts = new AsyncDisposableStack()
    const cast = await startCast(parts, hashing)
    const servers = [cast.latchkey, await startBeside(parts, hashing, {})]
    for (const [at, peer] of PEERS.entries()) {
      servers.push(
        await startPeer(parts, peer, `${cast.redis.url.slice(0, -1)}${at + 1}`),
      )
    }
    await compete(servers, cast, samples)
    if (start < starts - 1 || typeof counter === 'string') continue
    counted = await inTurn(servers, server =>
      counter(server, () => refresh(cast, server)).then(all => all / requests),
    )
  }
  console.log(head({ starts, rounds, requests, connections }, counter))
  printRows(
    PEERS.map(({ name, atMost }, at): Row => {
      const [ours = 0, again = 0, ...others] = counted
      const other = others[at]
      return {
        name: `refresh beside ${name}`,
        cpu: { atMost },
        starts: samples[at] ?? [],
        ...(other !== undefined && { instructions: { ours, other, again } }),
      }
    }),
    'peer',
  )
}

/** Installs what package-lock.json names, unless that has been done. */
async function install(): Promise<void> {
  const changedAt = (file: string) =>
    stat(join(FOLDER, file)).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    )
  const installedAt = await changedAt('node_modules/.package-lock.json')
  if (installedAt > (await changedAt('package-lock.json'))) return
  await runChild('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
  })
}

async function startPeer(
  parts: AsyncDisposableStack,
  { module, signer }: Peer,
  redisUrl: string,
): Promise<Measured> {
  const options: PeerOptions = {
    port: await freePort(),
    redisUrl,
    client: CLIENT,
    user: USER,
    password: PASSWORD,
    audience: AUDIENCE,
    scope: SCOPE,
    ...(signer && { signer }),
  }
  const child = start(parts, join('peers', module), {
    ...METERED,
    args: [JSON.stringify(options)],
  })
  const url = `http://127.0.0.1:${options.port}`
  // Whatever it answers there, it answers.
  const peer = await measured(child, url, { isReady: status => status > 0 })
  await check(peer)
  return peer
}

/** Sees to it that a peer does what it is measured for: another refresh token each time, and a JWT. */
async function check({ url }: Measured): Promise<void> {
  const ask = (form: Record<string, string>) =>
    postForm(`${url}/token`, { client_id: CLIENT, ...form })
  const login = { grant_type: 'password', username: USER, password: PASSWORD }
  const refreshWith = (token: string) =>
    ask({ grant_type: 'refresh_token', refresh_token: token })
  const refused = await ask({ ...login, password: 'another one' })
  const first = (await ask(login)).body.refresh_token
  const { status, body } = await refreshWith(first)
  if (status !== 200) {
    throw new Error(`the peer answers ${status}: ${JSON.stringify(body)}`)
  }
  const { alg } = decodeProtectedHeader(body.access_token)
  const { aud, scope } = decodeJwt(body.access_token)
  const again = await refreshWith(first)
  const problems = Object.entries({
    'takes any password': refused.status === 200,
    'keeps the refresh token': body.refresh_token === first || again.status === 200,
    'does not sign with ES256': alg !== 'ES256',
    'has another audience or scope': aud !== AUDIENCE || scope !== SCOPE,
  }).flatMap(([problem, isThere]) => (isThere ? [problem] : []))
  if (problems.length > 0) throw new Error(`the peer ${problems.join(', ')}`)
}

/** Ours, ours again, and each peer, in changing order. */
async function compete(
  servers: readonly Measured[],
  cast: Cast,
  all: readonly Sample[][][],
): Promise<void> {
  for (const row of all) row.push([])
  for (let round = -warmUp; round < Math.ceil(rounds / starts); round++) {
    const [ours, again, ...peers] = await inChangingOrder(servers, round, server =>
      windowOf(server, requests, () => refresh(cast, server)),
    )
    if (round < 0 || ours === undefined || again === undefined) continue
    peers.forEach((other: Figures, at) => all[at]?.at(-1)?.push({ ours, other, again }))
  }
}

function refresh({ load }: Cast, { url: base }: Measured): Promise<number> {
  return load({
    base,
    kind: 'refresh',
    connections,
    requests,
  })
}

await main()
