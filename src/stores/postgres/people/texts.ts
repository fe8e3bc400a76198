// What no two accounts may have: names, unique values, and the texts that log somebody in. Each function is
// a part of a transaction that has named the texts (locksOf), so that nobody else writes them meanwhile.
import type { LoginTexts, UniqueValue, ValueTaken } from '../../ports/directory.ts'
import type { Run } from '../database/connections.ts'

/** What a write is about. */
export interface Texts {
  readonly tag: string
  readonly foldedName?: string | undefined
  readonly uniqueValues?: readonly UniqueValue[] | undefined
  readonly logins?: LoginTexts | undefined
}

/** The texts that a write of these has to name before it begins: its own, and those that log in alike. */
export function locksOf({ tag, foldedName, uniqueValues = [], logins }: Texts): string[] {
  const names = [foldedName ?? [], logins?.ofValues.map(value => value.foldedName) ?? []]
  const values = [...uniqueValues, ...(logins?.ofName ?? []), ...(logins?.ofValues ?? [])]
  return [
    `tag ${tag}`,
    ...names.flat().map(name => `name ${name}`),
    ...values.map(({ attribute, value }) => `value ${attribute} ${hexOf(value)}`),
  ]
}

function hexOf(text: string): string {
  return Buffer.from(text).toString('hex')
}

/** Whether another account has the name, or a value that the name stands for. */
export async function isNameTaken(
  run: Run,
  { tag, foldedName, logins }: Texts,
): Promise<boolean> {
  if (foldedName === undefined) return false
  const [holder] = await run({
    text: 'SELECT tag FROM latchkey.accounts WHERE folded_name = $1',
    values: [foldedName],
  })
  // In another writing it is the account's own.
  if (holder !== undefined) return holder['tag'] !== tag
  return (await takenOf(run, tag, logins?.ofName)) !== undefined
}

/** The first value that another account has, or whose text is another account's name. */
export async function valueTaken(
  run: Run,
  { tag, uniqueValues, logins }: Texts,
): Promise<ValueTaken | undefined> {
  const attribute =
    (await takenOf(run, tag, uniqueValues)) ?? (await namedOf(run, tag, logins?.ofValues))
  return attribute === undefined ? undefined : { kind: 'value_taken', attribute }
}

/** The attribute of the first value that another account has. */
async function takenOf(
  run: Run,
  tag: string,
  values: readonly UniqueValue[] = [],
): Promise<string | undefined> {
  if (values.length === 0) return undefined
  const [taken] = await run({
    text: `SELECT attribute
      FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS v (attribute, given, place)
      JOIN latchkey.unique_values USING (attribute)
      WHERE digest = sha256(given) AND tag <> $1 ORDER BY place LIMIT 1`,
    values: [tag, ...columnsOf(values)],
  })
  return taken?.['attribute']
}

/** The attribute of the first value that the account doesn't have yet and that is another one's name. */
async function namedOf(
  run: Run,
  tag: string,
  values: LoginTexts['ofValues'] = [],
): Promise<string | undefined> {
  if (values.length === 0) return undefined
  const [named] = await run({
    text: `SELECT attribute FROM unnest($2::text[], $3::bytea[], $4::text[])
        WITH ORDINALITY AS v (attribute, value, name, place)
      WHERE EXISTS (SELECT FROM latchkey.accounts WHERE folded_name = v.name AND tag <> $1)
        AND NOT EXISTS (SELECT FROM latchkey.unique_values AS u
          WHERE u.attribute = v.attribute AND u.digest = sha256(v.value) AND u.tag = $1)
      ORDER BY place LIMIT 1`,
    values: [tag, ...columnsOf(values), values.map(({ foldedName }) => foldedName)],
  })
  return named?.['attribute']
}

/** What the account has. */
export async function valuesOf(run: Run, tag: string): Promise<readonly UniqueValue[]> {
  const rows = await run({
    text: 'SELECT attribute, value FROM latchkey.unique_values WHERE tag = $1 ORDER BY attribute, value',
    values: [tag],
  })
  return rows.map(({ attribute, value }) => ({ attribute, value: String(value) }))
}

/** Gives the account these values, in the place of those that it had. */
export async function replaceValues(
  run: Run,
  tag: string,
  values: readonly UniqueValue[],
): Promise<void> {
  await run({
    text: 'DELETE FROM latchkey.unique_values WHERE tag = $1',
    values: [tag],
  })
  await insertValues(run, tag, values)
}

/** Gives a new account its values. */
export async function insertValues(
  run: Run,
  tag: string,
  values: readonly UniqueValue[],
): Promise<void> {
  if (values.length === 0) return
  await run({
    text: `INSERT INTO latchkey.unique_values (tag, attribute, value)
      SELECT $1, attribute, value FROM unnest($2::text[], $3::bytea[]) AS v (attribute, value)`,
    values: [tag, ...columnsOf(values)],
  })
}

function columnsOf(values: readonly UniqueValue[]): [string[], Buffer[]] {
  return [
    values.map(({ attribute }) => attribute),
    values.map(({ value }) => Buffer.from(value)),
  ]
}
