// latchkey keys list | status | rotate | retire | abandon
import { Option, type Command } from 'commander'
import { formatDuration } from '../../config/values/duration.ts'
import { keyPolicy } from '../../config/key-policy.ts'
import { abandonLostKeys, lostKeys } from '../../keys/abandon.ts'
import { runningLists } from '../../keys/known-secrets.ts'
import { createSealer } from '../../keys/seal.ts'
import { CACHE_LIFE_MS } from '../../keys/jwks-document.ts'
import type { KeyChange, KeyRing } from '../../keys/ring.ts'
import { addExamples } from '../terminal/examples.ts'
import { confirm, type Io } from '../terminal/io.ts'
import { impactOfLoss, impactOfRetirement, impactOfRotation } from './impact.ts'
import { printStatus } from './status.ts'
import { Refused } from '../terminal/refused.ts'
import { iso, parseSpan } from '../terminal/time.ts'
import { withStore, type StoreTools } from '../tools.ts'

const EXAMPLES = [
  'latchkey keys status',
  'latchkey keys rotate      # as soon as every verifier can know the next key',
  'latchkey keys retire kcwT8M1mWRAIKcVcgOMtkWZBXwDuJEyhFBAzpvUOGeM  # it leaked; ' +
    '-one goes last, behind --',
]

interface RotateOptions {
  readonly now?: true
  readonly line?: string
  readonly yes?: true
}

interface AbandonOptions {
  readonly yes?: true
}

interface RetireOptions {
  readonly switchAfter: number
  readonly yes?: true
}

/** Adds `keys`. */
export function addKeys(program: Command, io: Io): void {
  const keys = program.command('keys').description('the signing keys')
  addExamples(keys, 'Examples:', EXAMPLES)

  keys
    .command('list')
    .description('the keys in the order in which they sign')
    .action(
      withStore(io, async ({ readRing, print }) => {
        printKeys(await readRing(), print)
      }),
    )

  keys
    .command('status')
    .description(
      'the keys, the next turn, the secrets that are still needed, and the ' +
        'verifiers that were seen',
    )
    .action(
      withStore(io, async tools => {
        await printStatus(tools, await tools.readRing())
      }),
    )

  keys
    .command('rotate')
    .description('let the next key sign as soon as it has been published for long enough')
    .option('--now', 'at once, though verifiers may not know it')
    .option(
      '--line <name>',
      'only the keys of this line: main, or the algorithm of an audience or a client',
    )
    .option('--yes', 'do not ask')
    .action(withStore(io, rotate))

  keys
    .command('retire <kid>')
    .description(
      'remove a leaked key at once: every token that it signed becomes invalid',
    )
    .addOption(
      new Option(
        '--switch-after <duration>',
        'when a fresh key takes over, so that verifiers fetch the keys again',
      )
        .argParser(parseSpan)
        .default(CACHE_LIFE_MS, formatDuration(CACHE_LIFE_MS)),
    )
    .option('--yes', 'do not ask')
    .action(withStore(io, retire))

  keys
    .command('abandon')
    .description(
      'give up the keys that can no longer be decrypted because a secret is lost for good',
    )
    .option('--yes', 'do not ask')
    .action(withStore(io, abandon))
}

async function rotate(
  tools: StoreTools,
  { now, line, yes }: RotateOptions,
): Promise<void> {
  const ring = await tools.readRing()
  if (now === true) await agree(tools, await impactOfRotation(tools, ring, line), yes)
  done(await ring.rotate({ atOnce: now === true, line }))
  printKeys(ring, tools.print)
}

async function retire(
  tools: StoreTools,
  kid: string,
  { switchAfter, yes }: RetireOptions,
): Promise<void> {
  const ring = await tools.readRing()
  if (!ring.describe().some(key => key.kid === kid)) {
    throw new Refused(
      'key_unknown',
      `key unknown: the ring has no key ${kid} (latchkey keys list)`,
    )
  }
  await agree(tools, await impactOfRetirement(tools, kid, switchAfter), yes)
  done(await ring.retire(kid, switchAfter))
  printKeys(ring, tools.print)
}

async function abandon(tools: StoreTools, { yes }: AbandonOptions): Promise<void> {
  const { config, store, emit, print } = tools
  const sealer = createSealer(config.secrets)
  const at = await store.now()
  const lost = lostKeys(await store.keys.load(), at, sealer)
  const running = runningLists((await store.secretLists.load()).lists, at)
  const held = running.flatMap(({ secrets }) => secrets.map(({ id }) => id))
  const known = lost.find(({ secretId }) => held.includes(secretId))
  if (known !== undefined) {
    throw new Refused(
      'secret_elsewhere',
      'secret elsewhere: a server that runs, or did a minute ago, has the secret ' +
        'with the fingerprint ' +
        `${known.secretId}: take it from there, and put it behind the others`,
    )
  }
  if (lost.length === 0) {
    throw new Refused('nothing_lost', 'nothing lost: every key opens')
  }
  await agree(tools, impactOfLoss(lost), yes)
  const policy = keyPolicy(config)
  const kids = await abandonLostKeys({
    keys: store.keys,
    sealer,
    now: store.now,
    policy,
    emit,
  })
  print(
    { outcome: 'abandoned', kids },
    `given up: ${kids.join(', ')}. The next start makes new keys`,
  )
}

/** Shows what a change breaks, and goes on when somebody agrees. */
async function agree(
  { io, print }: StoreTools,
  impact: readonly string[],
  yes: true | undefined,
): Promise<void> {
  for (const text of impact) print({ record: 'impact', text }, text)
  if (yes === undefined) await confirm(io)
}

function done(change: KeyChange): void {
  if (change.kind === 'refused') throw new Refused(change.reason)
}

function printKeys(ring: KeyRing, print: StoreTools['print']): void {
  for (const { publishAt, signFrom, signUntil, removeAt, ...key } of ring.describe()) {
    const times = {
      publishAt: iso(publishAt),
      signFrom: iso(signFrom),
      signUntil: iso(signUntil),
      removeAt: iso(removeAt),
    }
    print(
      { ...key, ...times },
      `${key.kid}  ${key.alg}  ${key.line}  ${key.state}  signs ${times.signFrom} to ` +
        `${times.signUntil}, removed ${times.removeAt}`,
    )
  }
}
