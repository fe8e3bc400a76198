// What the commands work with: the configuration, its store, and a way to print. Opened for one command and
// closed after it.
import type { Command } from 'commander'
import { emitAs } from '../base/events/actor.ts'
import { systemClock } from '../base/clock.ts'
import { developmentConfig } from '../config/development.ts'
import { keyPolicy } from '../config/key-policy.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { createCore, type Core } from '../core/core.ts'
import { coreSettings } from '../core/settings.ts'
import { openSource } from '../keys/external/open-key-source.ts'
import type { KeySource } from '../keys/external/key-source.ts'
import type { KeyRing } from '../keys/ring.ts'
import { openStore } from '../stores/open.ts'
import type { Backups } from '../stores/ports/backups.ts'
import type { MoveAccounts } from '../stores/ports/people/move.ts'
import type { Account } from '../stores/ports/directory.ts'
import { openBlocklist } from '../users/blocklist/open-blocklist.ts'
import { printable } from '../base/printable.ts'
import { createCommandAudit } from './command-audit.ts'
import type { Io } from './terminal/io.ts'
import { operator } from './terminal/operator.ts'
import { Refused } from './terminal/refused.ts'
import { ownedElsewhereWords } from './terminal/words.ts'

/**
 * Prints one result: `record` as a line of JSON with --json, else `text`, a line or several. Nothing in
 * either is a control character for the terminal.
 */
export type Print = (
  record: Readonly<Record<string, unknown>>,
  text: string | readonly string[],
) => void

/** Prints a line for people, where there is no result to print; nothing with --json. */
export type Remark = (text: string) => void

/** What every command gets. */
export interface Tools {
  readonly io: Io
  readonly print: Print
  readonly remark: Remark
  /** The file of --config or LATCHKEY_CONFIG; undefined: development mode. */
  readonly file: string | undefined
}

/** What a command on the store gets. */
export interface StoreTools
  extends
    Tools,
    Pick<
      Core,
      | 'accounts'
      | 'sessions'
      | 'hasher'
      | 'checkNewPassword'
      | 'store'
      | 'emit'
      | 'clients'
      | 'refusals'
      | 'unlock'
      | 'invitations'
      | 'check'
      | 'nameLogins'
      | 'directory'
      | 'valueClaims'
    > {
  readonly config: Config
  readonly backups: Backups
  /** Moves the accounts; undefined: the configuration names no other place for them. */
  readonly move: MoveAccounts | undefined
  /** Reads the key ring, and changes nothing. */
  readonly readRing: () => Promise<KeyRing>
  /** Learns which secrets the servers have: what is sealed for them is sealed under one of those. */
  readonly readSecrets: () => Promise<void>
}

type Action<Given, Args extends unknown[]> = (
  tools: Given,
  ...args: Args
) => Promise<void>

/** Makes commander's action of a command that needs no store. */
export function withTools<Args extends unknown[]>(io: Io, action: Action<Tools, Args>) {
  return async function (this: Command, ...args: Args): Promise<void> {
    await action(toolsOf(io, this), ...args)
  }
}

/** Makes commander's action of a command that reads the configuration and needs no store. */
export function withConfig<Args extends unknown[]>(
  io: Io,
  action: Action<Tools & { readonly config: Config }, Args>,
) {
  return async function (this: Command, ...args: Args): Promise<void> {
    const tools = toolsOf(io, this)
    await action({ ...tools, config: await readConfig(tools) }, ...args)
  }
}

/** Makes commander's action of a command on the store, which is closed when it has ended. */
export const withStore = onStore({ isAlone: false })

/** The same for work on the store itself, wherever its accounts are: PostgreSQL isn't asked. */
export const withStoreAlone = onStore({ isAlone: true })

function onStore(how: Pick<OpenOptions, 'isAlone'>) {
  return <Args extends unknown[]>(io: Io, action: Action<StoreTools, Args>) =>
    async function (this: Command, ...args: Args): Promise<void> {
      const tools = toolsOf(io, this)
      remarkDevelopment(tools)
      const config = await readConfig(tools)
      await using parts = new AsyncDisposableStack()
      const core = await openCore({ io, config, parts, ...how })
      await action({ ...tools, ...core }, ...args)
    }
}

/** To a person who forgot to name the configuration: their users are in another store. */
function remarkDevelopment({ io, file }: Tools): void {
  if (file !== undefined || io.showsProgress !== true) return
  io.stderr.write(
    'LATCHKEY_CONFIG is not set: this is the store of development mode, in .latchkey\n',
  )
}

/**
 * The account that was found by that name.
 *
 * @throws Refused when none was
 */
export function requireAccount(account: Account | undefined, name: string): Account {
  if (account === undefined) throw accountRefused('user_unknown', name)
  return account
}

/** Why a command on the account of that name is refused. */
export function accountRefused(reason: string, name: string): Refused {
  return new Refused(
    reason,
    reason === 'directory_owns'
      ? ownedElsewhereWords(name)
      : `${reason.replaceAll('_', ' ')}: ${name}`,
  )
}

function toolsOf(io: Io, command: Command): Tools {
  const { json, config } = command.optsWithGlobals<{ json?: boolean; config?: string }>()
  const print: Print = (record, text) => {
    const lines = json ? [JSON.stringify(record)] : [text].flat()
    io.stdout.write(`${lines.map(printable).join('\n')}\n`)
  }
  const remark: Remark = text => {
    if (json !== true) io.stdout.write(`${printable(text)}\n`)
  }
  return {
    io,
    print,
    remark,
    file: config ?? (io.env['LATCHKEY_CONFIG'] || undefined),
  }
}

/**
 * The configuration of the command.
 *
 * @param keeps false: development mode keeps nothing that isn't there
 * @throws ConfigError
 */
export async function readConfig({ io, file }: Tools, keeps = true): Promise<Config> {
  return file === undefined
    ? (await developmentConfig({ env: io.env, keeps })).config
    : loadConfig(file, io.env)
}

/**
 * How long Redis may take to answer a command, in milliseconds: as long as to connect. Nobody waits behind a
 * command as requests wait behind a server, and one that takes many steps would end half done.
 */
export const ANSWER_MS = 3_000

interface OpenOptions {
  readonly io: Io
  readonly config: Config
  /** Takes what is opened for the command and has to be closed after it. */
  readonly parts: AsyncDisposableStack
  /** Whether it works on the store itself, and asks no PostgreSQL. */
  readonly isAlone: boolean
}

/** Opens the core for one command. */
async function openCore({
  io,
  config,
  parts,
  isAlone,
}: OpenOptions): Promise<Omit<StoreTools, keyof Tools>> {
  const blocklist = await openBlocklist(config.passwords)
  parts.defer(() => blocklist.close())
  const { store, addressCounts, backups, move } = await openStore({
    ...config.store,
    deadlineMs: ANSWER_MS,
    clock: systemClock,
    isAlone,
  })
  parts.defer(() => store.close())
  const audit = createCommandAudit(io, config)
  const emit = emitAs(operator(), audit.emit)
  const compose = (source?: KeySource) =>
    createCore({
      settings: coreSettings(() => config),
      store,
      addressCounts,
      clock: systemClock,
      emit,
      isBreached: blocklist.isBreached,
      source,
    })
  const core = compose()
  const { knownSecrets, auditLines } = core
  parts.defer(() =>
    audit.handOver(async lines => {
      await knownSecrets.read()
      return auditLines.leave(lines)
    }),
  )
  parts.defer(() => core.announcer.settled())
  return {
    ...core,
    // Of what a command does to all accounts at once nobody is told.
    emit,
    config,
    backups,
    move,
    readSecrets: knownSecrets.read,
    // Only here: keys that are kept elsewhere are opened for the commands that look at keys.
    async readRing() {
      const source = await openSource(config.keys, keyPolicy(config))
      if (source !== undefined) parts.defer(source.close)
      const { knownSecrets: secrets, keys } = compose(source)
      await secrets.read()
      await keys.read()
      return keys
    },
  }
}
