// latchkey users add | list | show | rename | passwd | disable | enable | remove | access; the files beside
// it have the rest
import type { Command } from 'commander'
import type { Accounts, ChangeOutcome } from '../../users/accounts.ts'
import { describeAccess } from './access.ts'
import { accessOf, withAccess, type AccessOptions } from './access-options.ts'
import { addAdding, refusal } from './adding/add.ts'
import { addInvite } from './adding/invite.ts'
import { addClaim } from './claim.ts'
import { addList } from './list.ts'
import { addReading } from './reading.ts'
import { addSet } from './set.ts'
import { addRefusals } from './refusals/refusals.ts'
import { addExamples } from '../terminal/examples.ts'
import { printable } from '../../base/printable.ts'
import { confirm, readNewPassword, type Io } from '../terminal/io.ts'
import { accountRefused, requireAccount, withStore } from '../tools.ts'
import { addExport } from './export.ts'
import { addImport } from './import.ts'
import { addMove } from './move.ts'
import { addNameHash } from './refusals/name-hash.ts'

type Change = (accounts: Accounts, name: string) => Promise<ChangeOutcome>

const EXAMPLES = [
  'latchkey users add alice --roles support',
  'latchkey users add bob --attribute email=bob@example.com --email-verified',
  'latchkey users add robot --scopes "orders:read" < password.txt',
  'latchkey users add carol --attribute email=carol@example.com --invite',
  'latchkey users invite carol',
  'latchkey users rename alice alice.smith',
  'latchkey users access alice --scopes "profile,orders:read"',
  'latchkey users list --json | jq -r .name',
  'latchkey users list --limit 50',
  'latchkey users list --search ann --by email --limit 50',
  'latchkey users name-hash alice | grep -F -f - audit.log',
  'latchkey users why alice@example.com',
  'latchkey users unlock alice',
  'latchkey users import users.jsonl',
  'latchkey users move --to postgres',
]

/** What is done to an account by its name alone. */
const CHANGES: readonly {
  verb: string
  description: string
  done: string
  change: Change
  /** Whether a person at a terminal is asked first: it can't be undone. */
  asks?: true
}[] = [
  {
    verb: 'disable',
    description: 'stop the user from logging in, and end every session',
    done: 'is disabled, every session is ended',
    change: (accounts, name) => accounts.disable(name),
  },
  {
    verb: 'enable',
    description: 'let the user in again',
    done: 'is enabled',
    change: (accounts, name) => accounts.enable(name),
  },
  {
    verb: 'keep',
    description: 'keep the account that its user has deleted, while it is not erased yet',
    done: 'is kept; its sessions stay ended',
    change: (accounts, name) => accounts.keep(name),
  },
  {
    verb: 'adopt',
    description:
      'turn a user of an external directory into an account of this server, with the copied ' +
      'password (migrate: copy)',
    done: 'is an account of this server now; its directory is not asked any more',
    change: (accounts, name) => accounts.adopt(name),
  },
  {
    verb: 'remove',
    description: 'remove the account and every session',
    done: 'is removed',
    change: (accounts, name) => accounts.remove(name),
    asks: true,
  },
]

/** Adds `users`. */
export function addUsers(program: Command, io: Io): void {
  const users = program.command('users').description('accounts')
  addExamples(users, 'Examples:', EXAMPLES)
  addAdding(users, io)
  addInvite(users, io)
  addList(users, io)
  addReading(users, io)
  addMove(users, io)
  addNameHash(users, io)
  addRefusals(users, io)
  addSet(users, io)
  addClaim(users, io)
  addChanging(users, io)
  addImport(users, io)
  addExport(users, io)
}

function addChanging(users: Command, io: Io): void {
  for (const { verb, description, done, change, asks } of CHANGES) {
    const command = users.command(`${verb} <name>`).description(description)
    if (asks === true) command.option('--yes', 'do not ask at a terminal')
    command.action(
      withStore(
        io,
        async ({ accounts, print }, name: string, { yes }: { yes?: true }) => {
          if (asks === true && io.isTTY && yes === undefined) {
            await agreeToRemove(accounts, name, io)
          }
          print(
            { name, sub: subOf(await change(accounts, name), name), change: verb },
            `${name} ${done}`,
          )
        },
      ),
    )
  }

  users
    .command('rename <name> <newName>')
    .description('give the account another name; its sub and its sessions stay')
    .action(
      withStore(io, async (tools, name: string, newName: string) => {
        const { accounts, config, print } = tools
        const outcome = await accounts.rename(name, newName)
        if (outcome.kind === 'refused') {
          // These two are about the account, the others about its new name.
          const isOfAccount = ['user_unknown', 'directory_owns'].includes(outcome.reason)
          throw isOfAccount
            ? accountRefused(outcome.reason, name)
            : refusal(outcome, config, newName)
        }
        print(
          { name: outcome.name, sub: outcome.sub, change: 'rename' },
          `${name} is called ${outcome.name} now`,
        )
      }),
    )

  users
    .command('passwd <name>')
    .description('set a password and end every session')
    .action(
      withStore(io, async ({ accounts, config, print }, name: string) => {
        // Asked first: nobody should type a password for nothing.
        requireAccount(await accounts.find(name), name)
        const outcome = await accounts.setPassword(name, await readNewPassword(io))
        if (outcome.kind === 'refused') throw refusal(outcome, config, name)
        print(
          { name, sub: outcome.sub, change: 'passwd' },
          `${name} has a new password, every session is ended`,
        )
      }),
    )

  withAccess(
    users
      .command('access <name>')
      .description(
        'set what the user may hold from the next token on; what is not named ' +
          'stays, and without an ' +
          'option it is shown',
      ),
  ).action(
    withStore(io, async ({ accounts, print }, name: string, options: AccessOptions) => {
      const account = requireAccount(await accounts.find(name), name)
      const access = accessOf(options, account)
      // Whoever names nothing asks what it is.
      const sub =
        Object.keys(options).length === 0
          ? account.sub
          : subOf(await accounts.setAccess(name, access), name)
      print({ name, sub, ...access }, `${name} may hold ${describeAccess(access)}`)
    }),
  )
}

async function agreeToRemove(accounts: Accounts, name: string, io: Io): Promise<void> {
  const { sub } = requireAccount(await accounts.find(name), name)
  io.stderr.write(printable(`${name} (${sub}) and every session will be removed.`) + '\n')
  await confirm(io)
}

function subOf(outcome: ChangeOutcome, name: string): string {
  if (outcome.kind === 'refused') throw accountRefused(outcome.reason, name)
  return outcome.sub
}
