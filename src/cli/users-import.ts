// latchkey users import: accounts from elsewhere, one JSON object per line, read as a stream.
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { Command } from 'commander'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { linesOf, type Io } from './io.ts'
import { Refused } from './refused.ts'
import { withStore, type StoreTools } from './tools.ts'

const words = (description: string) => Type.Array(Type.String({ pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]+$' }), { description })

const common = {
  name: Type.String(),
  sub: Type.Optional(Type.String()),
  scopes: Type.Optional(Type.Union([words('scopes that the user may hold'), Type.Null()])),
  roles: Type.Optional(Type.Array(Type.String())),
  disabled: Type.Optional(Type.Boolean()),
}

const ImportedUser = Type.Union([
  Type.Object({ ...common, passwordHash: Type.String() }, { additionalProperties: false }),
  Type.Object({ ...common, password: Type.String() }, { additionalProperties: false }),
])
type ImportedUser = Static<typeof ImportedUser>

const EXAMPLE = `
Each line is one account; sub, scopes (null: any), roles and disabled may be left out:
  {"name":"alice","passwordHash":"$argon2id$v=19$m=19456,t=2,p=1$…","sub":"42","scopes":["profile"],"roles":["support"]}
  {"name":"bob","password":"correct horse battery","disabled":true}

Example (- reads standard input):
  latchkey users import users.jsonl
`

/** Adds `users import`. */
export function addImport (users: Command, io: Io): void {
  users.command('import <file>').description('add accounts from lines of JSON; lines that are refused are named and skipped')
    .addHelpText('after', EXAMPLE)
    .action(withStore(io, async (tools, file: string) => {
      const { taken, skipped } = await importAll(tools, await openInput(io, file))
      tools.print({ taken, skipped }, `${taken} taken, ${skipped} skipped`)
      if (skipped > 0) throw new Refused('import_incomplete')
    }))
}

async function openInput ({ stdin }: Io, file: string): Promise<Readable> {
  return file === '-' ? stdin : (await open(file)).createReadStream()
}

async function importAll (tools: StoreTools, input: Readable): Promise<{ taken: number, skipped: number }> {
  const count = { taken: 0, skipped: 0 }
  let line = 0
  for await (const text of linesOf(input)) {
    line += 1
    if (text.trim() === '') continue
    const reason = await importLine(tools, text)
    count[reason === undefined ? 'taken' : 'skipped'] += 1
    if (reason !== undefined) tools.print({ line, reason }, `line ${line}: ${reason.replaceAll('_', ' ')}`)
  }
  return count
}

/** Takes one line; tells why it wasn't taken. */
async function importLine (tools: StoreTools, text: string): Promise<string | undefined> {
  const user = parseUser(text)
  if (typeof user === 'string') return user
  const { name, sub, scopes = null, roles = [], disabled = false } = user
  const passwordHash = await hashOf(tools, user)
  if (passwordHash.kind === 'refused') return passwordHash.reason
  const outcome = await tools.accounts.importHash({ name, sub, scopes, roles, disabled, passwordHash: passwordHash.hash })
  return outcome.kind === 'refused' ? outcome.reason : undefined
}

function parseUser (text: string): ImportedUser | 'line_no_json' | 'line_malformed' {
  try {
    const value: unknown = JSON.parse(text)
    return Value.Check(ImportedUser, value) ? value : 'line_malformed'
  } catch {
    return 'line_no_json'
  }
}

type Hashing = { readonly kind: 'hashed', readonly hash: string } | { readonly kind: 'refused', readonly reason: string }

async function hashOf ({ hasher, checkNewPassword }: StoreTools, user: ImportedUser): Promise<Hashing> {
  if ('passwordHash' in user) return { kind: 'hashed', hash: user.passwordHash }
  const reason = await checkNewPassword(user.password, user.name)
  return reason === undefined ? { kind: 'hashed', hash: await hasher.hash(user.password) } : { kind: 'refused', reason }
}
