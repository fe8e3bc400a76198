// latchkey users import: accounts from other systems, with their password hashes.
import { readFile } from 'node:fs/promises'
import { InvalidArgumentError, type Command } from 'commander'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { isField, type FieldMap } from './import/fields.ts'
import { importFile } from './import/run.ts'
import { OURS, SYSTEMS, type FirebaseParameters, type System } from './import/systems.ts'
import type { Io } from './io.ts'
import { Refused } from './refused.ts'
import { withStore } from './tools.ts'

interface ImportFlags {
  readonly from?: System
  readonly map?: FieldMap
  readonly dryRun?: boolean
  readonly report?: string
  readonly firebaseParameters?: string
}

const EXAMPLES = `
Our own form is a line of JSON per account; sub, scopes (null: any), roles and disabled may be left out:
  {"name":"alice","passwordHash":"$argon2id$v=19$m=19456,t=2,p=1$…","sub":"42","scopes":["profile"],"roles":["support"]}
  {"name":"bob","password":"correct horse battery","disabled":true}
A file that ends in .csv has a head that names the fields. Where accounts may come from:
${Object.entries(SYSTEMS)
  .map(([name, { description }]) => `  ${name.padEnd(10)}${description}`)
  .join('\n')}

Examples (- reads standard input; run it again after a fault: who is already there is left alone):
  latchkey users import users.jsonl --dry-run
  latchkey users import auth_user.csv --from django --report report.jsonl
  latchkey users import people.csv --map name=mail,sub=uid,passwordHash=pw
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
    .option(
      '--map <list>',
      'which field of the file is what, e.g. name=mail,passwordHash=pw; a dot leads into an object',
      parseMap,
    )
    .option('--dry-run', 'check everything and add nothing')
    .option('--report <file>', 'write what became of each account, a line of JSON each')
    .option(
      '--firebase-parameters <file>',
      'JSON with signerKey, saltSeparator, rounds and memCost, as the Firebase console shows them',
    )
    .addHelpText('after', EXAMPLES)
    .action(
      withStore(
        io,
        async (
          tools,
          file: string,
          { from = OURS, map, dryRun = false, report, firebaseParameters }: ImportFlags,
        ) => {
          const firebase = await readFirebase(firebaseParameters)
          if (from.needsFirebase && firebase === undefined) {
            throw new Refused('firebase_parameters_missing')
          }
          const { taken, alreadyThere, refused } = await importFile(tools, {
            file,
            from,
            map,
            firebase,
            dryRun,
            report,
          })
          tools.print(
            {
              taken,
              alreadyThere,
              refused,
              dryRun,
            },
            `${taken} ${dryRun ? 'would be taken' : 'taken'}, ${alreadyThere} already there, ` +
              `${refused} refused`,
          )
          if (refused > 0) throw new Refused('import_incomplete')
        },
      ),
    )
}

function parseSystem(name: string): System {
  const system = SYSTEMS[name]
  if (system === undefined) {
    throw new InvalidArgumentError(`One of ${Object.keys(SYSTEMS).join(', ')}.`)
  }
  return system
}

function parseMap(text: string): FieldMap {
  const pairs = text.split(',').map(pair => pair.split('='))
  if (!pairs.every(([field = '', path = '']) => isField(field) && path !== '')) {
    throw new InvalidArgumentError('Pairs such as name=mail,passwordHash=pw.')
  }
  return Object.fromEntries(pairs)
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
  const value: unknown = JSON.parse(await readFile(file, 'utf8'))
  if (!Value.Check(FirebaseFile, value)) {
    throw new Refused('firebase_parameters_malformed')
  }
  return value
}
