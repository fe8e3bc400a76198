// The accounts of a store that are still to be moved to PostgreSQL, and those that have been: each call goes
// to where they are.
import type { BuiltInDirectory } from '../../ports/directory.ts'
import type { Store } from '../../ports/store.ts'
import { walkPages } from '../../ports/people/walk-pages.ts'
import type { Gate } from './gate.ts'

/** The ports of accounts. */
export type People = Pick<Store, 'directory' | 'subjects' | 'tickets'>

/** A directory on one side; a walk over all goes page by page, as the sides may turn under it. */
type Side = Omit<BuiltInDirectory, 'all'>
type SidePeople = Pick<Store, 'subjects' | 'tickets'> & { readonly directory: Side }

/** How many accounts `all` reads in one step. */
const WALK_PAGE = 200

/** Makes the ports that go to either. */
export function createBoth(gate: Gate, there: SidePeople, here: SidePeople): People {
  return {
    directory: {
      ...readsOf(gate, there.directory, here.directory),
      ...writesOf(gate, there.directory, here.directory),
    },
    subjects: {
      ...there.subjects,
      byTag: tag =>
        gate.reading({
          there: () => there.subjects.byTag(tag),
          here: () => here.subjects.byTag(tag),
        }),
      setDisabled: (tag, disabled) =>
        gate.writing([tag], {
          there: () => there.subjects.setDisabled(tag, disabled),
          here: () => here.subjects.setDisabled(tag, disabled),
        }),
      setAccess: (tag, access) =>
        gate.writing([tag], {
          there: () => there.subjects.setAccess(tag, access),
          here: () => here.subjects.setAccess(tag, access),
        }),
    },
    tickets: {
      ...there.tickets,
      setPassword: change =>
        gate.writing([change.ticket.tag], {
          there: () => there.tickets.setPassword(change),
          here: () => here.tickets.setPassword(change),
        }),
      setAttributes: change =>
        gate.writing([change.tag], {
          there: () => there.tickets.setAttributes(change),
          here: () => here.tickets.setAttributes(change),
        }),
    },
  }
}

type Reads =
  | 'byName'
  | 'byTag'
  | 'byValue'
  | 'uniqueValuesOf'
  | 'page'
  | 'search'
  | 'count'
  | 'all'
  | 'settle'

/** Makes a call of one argument that reads. */
function reader(gate: Gate) {
  return <Arg, Result>(
      there: (arg: Arg) => Promise<Result>,
      here: (arg: Arg) => Promise<Result>,
    ) =>
    (arg: Arg): Promise<Result> =>
      gate.reading({ there: () => there(arg), here: () => here(arg) })
}

function readsOf(gate: Gate, there: Side, here: Side): Pick<BuiltInDirectory, Reads> {
  const read = reader(gate)
  const page = read(there.page, here.page)
  return {
    byName: read(there.byName, here.byName),
    byTag: read(there.byTag, here.byTag),
    byValue: read(there.byValue, here.byValue),
    uniqueValuesOf: read(there.uniqueValuesOf, here.uniqueValuesOf),
    page,
    search: read(there.search, here.search),
    count: () => gate.reading({ there: there.count, here: here.count }),
    settle: () => gate.reading({ there: there.settle, here: here.settle }),
    all: () => walkPages(page, WALK_PAGE),
  }
}

/** Makes a call that writes the account that its argument names. */
function writer(gate: Gate) {
  return <Arg extends { readonly tag: string }, Result>(
      there: (arg: Arg) => Promise<Result>,
      here: (arg: Arg) => Promise<Result>,
    ) =>
    (arg: Arg): Promise<Result> =>
      gate.writing([arg.tag], { there: () => there(arg), here: () => here(arg) })
}

function writesOf(gate: Gate, there: Side, here: Side): Omit<BuiltInDirectory, Reads> {
  const write = writer(gate)
  return {
    add: write(there.add, here.add),
    setAttributes: write(there.setAttributes, here.setAttributes),
    change: write(there.change, here.change),
    rename: write(there.rename, here.rename),
    changePassword: write(there.changePassword, here.changePassword),
    changePending: write(there.changePending, here.changePending),
    addAll: accounts =>
      gate.writing(
        accounts.map(({ tag }) => tag),
        { there: () => there.addAll(accounts), here: () => here.addAll(accounts) },
      ),
    setPassword: (tag, hash) =>
      gate.writing([tag], {
        there: () => there.setPassword(tag, hash),
        here: () => here.setPassword(tag, hash),
      }),
    upgradePassword: (tag, from, to) =>
      gate.writing([tag], {
        there: () => there.upgradePassword(tag, from, to),
        here: () => here.upgradePassword(tag, from, to),
      }),
    adopt: tag =>
      gate.writing([tag], {
        there: () => there.adopt(tag),
        here: () => here.adopt(tag),
      }),
    remove: tag =>
      gate.writing([tag], {
        there: () => there.remove(tag),
        here: () => here.remove(tag),
      }),
  }
}
