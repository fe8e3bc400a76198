// latchkey users import: accounts from other systems, with their password hashes.
import { readFile } from 'node:fs/promises'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { decodeUtf8 } from '../../base/utf8.ts'
import {
  EMPTY_MAP,
  mapFault,
  parseMap,
  type ImportMap,
} from '../import/attributes/import-map.ts'
import { FORMATS, type Format } from '../import/format.ts'
import { OURS, SYSTEMS, type FirebaseParameters, type System } from '../import/systems.ts'
import { printChanges, printNotTaken, printPreview, printTally } from '../import/tally.ts'
import type { Io } from '../terminal/io.ts'
import { Refused } from '../terminal/refused.ts'
import { withStore, type StoreTools } from '../tools.ts'

interface ImportFlags {
  readonly from?: System
  readonly map?: ImportMap
  readonly format?: Format
  readonly bcryptPrehash?: 'sha256-hex'
  readonly dryRun?: boolean
  readonly update?: boolean
  readonly invite?: boolean
  readonly report?: string
  readonly firebaseParameters?: string
}

const EXAMPLES = `
Our own form is a line of JSON per account; sub, scopes (null: any), roles and disabled may be left out:
  {"name":"alice","passwordHash":"$argon2id$v=19$m=19456,t=2,p=1$…","sub":"42",\
"scopes":["profile"],"roles":["support"]}
  {"name":"bob","password":"correct horse battery","disabled":true}
A table (CSV, separated by commas, semicolons or tabs) has a head that names the fields. \
Where accounts may come from:
${[...SYSTEMS]
  .map(([name, { description }]) => `  ${name.padEnd(10)}${description}`)
  .join('\n')}

Examples (- reads standard input; run it again after a fault: who is already there is left alone):
  latchkey users import users.jsonl --dry-run
  latchkey users import auth_user.csv --from django --report report.jsonl
  latchkey users import people.csv --map name=mail,sub=uid,passwordHash=pw,enabled=is_active
  latchkey users import changed.csv --map name=mail,sub=uid,passwordHash=pw --update --dry-run
  latchkey users import joined.jsonl --from auth0 --map attributes.plan=app_metadata.plan
`

/** Adds `users import`. */
export function addImport(users: Command, io: Io): void {
  users
    .command('import <file>')
    .description(
      'add accounts from elsewhere; those that are refused are named and skipped',
    )
    .option(
      '--from <system>',
      'where the accounts come from; default: latchkey',
      parseSystem,
    )
    .addOption(
      new Option(
        '--format <format>',
        'what the file holds; default: what its name or its first bytes say',
      ).choices(FORMATS),
    )
    .option(
      '--map <list>',
      'which field of the file is what, e.g. name=mail,passwordHash=pw,enabled=is_active (or ' +
        'disabled=locked); a dot leads into an object; attributes.plan=app_metadata.plan takes a field ' +
        'into a declared attribute; may stand several times',
      parseMap,
    )
    .addOption(
      new Option(
        '--bcrypt-prehash <how>',
        'what was done to passwords before bcrypt, as Flask-Bcrypt with BCRYPT_HANDLE_LONG_PASSWORDS does it',
      ).choices(['sha256-hex']),
    )
    .option(
      '--update',
      'change existing accounts to what their records say: hash (ends their ' +
        'sessions), name, roles, scopes, disabled, attributes; what a record ' +
        'lacks stays as it is',
    )
    .option(
      '--invite',
      'also add accounts that have no password or usable hash; they log in once they have a password',
    )
    .option('--dry-run', 'check everything, show the first accounts, and add nothing')
    .option('--report <file>', 'write what became of each account, a line of JSON each')
    .option(
      '--firebase-parameters <file>',
      'JSON with signerKey, saltSeparator, rounds and memCost, as the Firebase console shows them',
    )
    .addHelpText('after', EXAMPLES)
    .hook('preAction', command => {
      const fault = mapFault(command.opts<ImportFlags>().map ?? EMPTY_MAP)
      if (fault !== undefined) command.error(`error: option '--map <list>': ${fault}`)
    })
    .action(withStore(io, importUsers))
}

async function importUsers(
  tools: StoreTools,
  file: string,
  {
    from = OURS,
    map = EMPTY_MAP,
    firebaseParameters,
    dryRun = false,
    update = false,
    invite = false,
    ...flags
  }: ImportFlags,
): Promise<void> {
  const firebase = await readFirebase(firebaseParameters)
  if (from.needsFirebase && firebase === undefined) {
    throw new Refused('firebase_parameters_missing')
  }
  // Only here: every other command starts faster without what reads foreign files.
  const { importFile } = await import('../import/run.ts')
  const tally = await importFile(tools, {
    file,
    from: update || invite ? withoutHash(from) : from,
    firebase,
    dryRun,
    update,
    invite,
    format: flags.format,
    map: Object.keys(map.fields).length > 0 ? map.fields : undefined,
    attributeMap: map.attributes,
    bcryptPrehash: flags.bcryptPrehash,
    report: flags.report,
  })
  if (dryRun) printPreview(tally, tools.hasher, tools.print)
  printNotTaken(tally, tools.print)
  printChanges(tally, dryRun, tools.print)
  printTally(tally, dryRun, tools.print)
  if (tally.refused > 0) throw new Refused('import_incomplete')
}

/** The system, of whose files none needs to have a password or a hash. */
function withoutHash(system: System): System {
  const { passwordHash = 'passwordHash' } = system.map
  return {
    ...system,
    needs: system.needs.filter(paths => !paths.includes(passwordHash)),
  }
}

function parseSystem(name: string): System {
  const system = SYSTEMS.get(name)
  if (system === undefined) {
    throw new InvalidArgumentError(`One of ${[...SYSTEMS.keys()].join(', ')}.`)
  }
  return system
}

const FirebaseFile = Type.Object({
  signerKey: Type.String(),
  saltSeparator: Type.String(),
  rounds: Type.Integer(),
  memCost: Type.Integer(),
})

async function readFirebase(
  file: string | undefined,
): Promise<FirebaseParameters | undefined> {
  if (file === undefined) return undefined
  const text = decodeUtf8(await readFile(file))
  if (typeof text !== 'string') throw text
  const value = parseJson(text)
  if (!Value.Check(FirebaseFile, value)) {
    throw new Refused(
      'firebase_parameters_malformed',
      `firebase parameters malformed: ${file} is no JSON with signerKey, saltSeparator, rounds and memCost`,
    )
  }
  return value
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
