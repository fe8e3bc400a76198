// The built-in directory: accounts and subjects lie in the same store and change in one step.
import type { UniqueValue } from '../../stores/ports/directory.ts'
import type { Store } from '../../stores/ports/store.ts'
import type { Declarations } from '../attributes/declarations.ts'
import { uniqueValueOf } from '../attributes/texts.ts'
import { foldName } from '../names/user-name.ts'
import type { Directory } from './directory.ts'

/** What the directory goes by; each function gives the setting of now. */
export interface BuiltInOptions extends Pick<Store, 'directory' | 'subjects'> {
  readonly declarations: () => Declarations
  /** `name`, and the unique attributes by which somebody may log in. */
  readonly login: () => readonly string[]
}

/** The account's own name, in `login`. */
const NAME = 'name'

/** Makes the directory of the accounts that the store keeps. */
export function createBuiltInDirectory(options: BuiltInOptions): Directory {
  const { directory, subjects } = options
  const { add, byTag, rename, setPassword, setAttributes, adopt, remove } = directory
  const { page, search, all, changePassword, setPending } = directory
  const { change, count, byValue } = directory
  const { setDisabled, setAccess } = subjects

  async function find(name: string) {
    const folded = foldName(name)
    return folded === undefined ? undefined : directory.byName(folded)
  }

  return {
    add,
    rename,
    byTag,
    setPassword,
    changePassword,
    setPending,
    setAttributes,
    change,
    count,
    byValue,
    setDisabled,
    setAccess,
    adopt,
    remove,
    page,
    search,
    all,
    find,
    ...createLogins(options, find),
    async verify({ account, password, hashing }) {
      if (account !== undefined) return hashing.verify(account.passwordHash, password)
      await hashing.verifyDummy(password)
      return false
    },
    upgradePassword: ({ tag, passwordHash }, better) =>
      directory.upgradePassword(tag, passwordHash, better),
  }
}

/** What a text may be that somebody logs in with. */
function createLogins(
  { directory, declarations, login }: BuiltInOptions,
  find: Directory['find'],
): Pick<Directory, 'findLogin' | 'countedName'> {
  const valuesOf = (text: string): UniqueValue[] =>
    login()
      .filter(attribute => attribute !== NAME)
      .flatMap(attribute => uniqueValueOf(attribute, text, declarations()) ?? [])

  async function findLogin(text: string) {
    // All of them are asked, whoever is found: the time taken must not give away which it is.
    const found = await Promise.all([
      login().includes(NAME) ? find(text) : undefined,
      ...valuesOf(text).map(directory.byValue),
    ])
    return found.find(account => account !== undefined)
  }

  return {
    findLogin,
    async countedName(text) {
      if (valuesOf(text).length === 0) return text
      return (await findLogin(text))?.foldedName ?? text
    },
  }
}
