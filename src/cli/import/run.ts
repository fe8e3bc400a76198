// Runs an import: a look at the file, then records in, accounts made of them in batches, and what became of
// each reported and counted.
import { open } from 'node:fs/promises'
import { claimsBudgetOf } from '../../core/settings.ts'
import { namingLogins } from '../../users/attributes/login-texts.ts'
import { createCheckClaims } from '../../users/attributes/claims-budget.ts'
import { declarationsOf, type Declarations } from '../../users/attributes/declarations.ts'
import { createImportUsers } from '../../users/import/import-accounts.ts'
import { createUpdateAccounts } from '../../users/import/update-accounts.ts'
import type { ImportOutcome } from '../../users/import/outcome.ts'
import { operator } from '../terminal/operator.ts'
import { Refused } from '../terminal/refused.ts'
import type { StoreTools } from '../tools.ts'
import { openBatches, type BatchesOrder } from './batches.ts'
import { createToItem, type Item, type ItemSettings } from './items.ts'
import { createProgress } from './progress.ts'
import { openSource } from './source.ts'
import { count, createTally, type Tally } from './tally.ts'
import { placeWord, refusalWords } from './words.ts'

/** What is imported, and how. */
export interface ImportOrder
  extends
    Omit<BatchesOrder, 'declarations'>,
    Omit<ItemSettings, 'now' | 'declarations' | 'format'> {
  readonly dryRun: boolean
  /** Whether accounts that are there become what their record says. */
  readonly update: boolean
  /** Whether records without a hash make accounts that have no password yet. */
  readonly invite: boolean
  /** A file for what became of each account. */
  readonly report: string | undefined
}

/** What became of an item; of one that was refused, in words, too. */
interface Done {
  readonly item: Item
  readonly outcome: ImportOutcome & { readonly message?: string }
}

/** Imports a file; what is refused is printed. Nothing is imported of a file that is refused as a whole. */
export async function importFile(tools: StoreTools, order: ImportOrder): Promise<Tally> {
  const { io, print, config, store } = tools
  const declarations = declarationsOf(config.attributes)
  checkMap(order, declarations)
  await using parts = new AsyncDisposableStack()
  const source = await openSource(io.stdin, order.file)
  const { format, notes, batches } = await openBatches(
    source,
    { ...order, declarations },
    parts,
  )
  for (const note of notes) print({ note }, `note: ${note}`)
  const report = await openReport(order.report, parts)
  const progress = createProgress(io)
  parts.defer(() => {
    progress.clear()
  })
  const tally = createTally()
  parts.defer(() => {
    emitTally(tools, order, tally)
  })

  const rules = {
    ...tools,
    checkClaims: createCheckClaims(() => claimsBudgetOf(config)),
    directory: namingLogins(store.directory, tools.nameLogins),
    findLogin: tools.accounts.findLogin,
    subjects: store.subjects,
    dryRun: order.dryRun,
  }
  const importBatch = createImportUsers({
    ...rules,
    declarations,
    secrets: config.secrets,
    invite: order.invite,
    update: order.update
      ? createUpdateAccounts({ ...rules, declarations: () => declarations })
      : undefined,
  })
  const toItem = createToItem({
    ...order,
    format,
    declarations,
    now: await store.now(),
  })
  const limits = { format, minLength: config.passwords.minLength }
  for await (const batch of batches) {
    const done = (await importBatch(batch.map(toItem))).map(one => inWords(one, limits))
    await report(done)
    for (const { item, outcome } of done) {
      count(tally, outcome, item)
      if (outcome.kind !== 'refused') continue
      progress.clear()
      const { kind: _, detail: __, ...refusal } = outcome
      const { line } = item
      print({ line, ...refusal }, `${placeWord(format)} ${line}: ${outcome.message}`)
    }
    progress.show(source.part(), tally)
  }
  return tally
}

/** Nothing can be taken into an attribute that isn't declared: that is said once. */
function checkMap({ attributeMap }: ImportOrder, declarations: Declarations): void {
  const unknown = Object.keys(attributeMap).find(name => !declarations.has(name))
  if (unknown === undefined) return
  const declared = [...declarations.keys()].join(', ')
  throw new Refused(
    'attribute_undeclared',
    `--map attributes.${unknown}: the configuration declares no such attribute ` +
      `(attributes has ${declared || 'none'})`,
  )
}

// Also of an import that is cut short.
function emitTally({ emit }: StoreTools, { dryRun }: ImportOrder, tally: Tally): void {
  const { imported, alreadyThere, refused, updated } = tally
  if (dryRun) return
  emit({
    type: 'users.imported',
    imported,
    alreadyThere,
    refused,
    ...(updated > 0 && { updated }),
    actor: operator(),
  })
}

function inWords(
  { item, outcome }: Done,
  limits: Parameters<typeof refusalWords>[1],
): Done {
  return outcome.kind === 'refused'
    ? { item, outcome: { ...outcome, message: refusalWords(outcome, limits) } }
    : { item, outcome }
}

type Report = (done: readonly Done[]) => Promise<void>

async function openReport(
  name: string | undefined,
  parts: AsyncDisposableStack,
): Promise<Report> {
  if (name === undefined) return async () => {}
  const file = await open(name, 'w')
  parts.defer(() => file.close())
  return async done => {
    const lines = done.map(({ item: { line, user }, outcome }) =>
      JSON.stringify({ line, ...('name' in user && { name: user.name }), ...outcome }),
    )
    await file.write(`${lines.join('\n')}\n`)
  }
}
