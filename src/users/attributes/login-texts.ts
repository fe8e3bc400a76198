// What an account takes with a name or a value is a text that may log somebody else in: a name that is an
// address, or the other way round. Here such texts are named; the store refuses them in the step that writes.
import type {
  AttributesChange,
  BuiltInDirectory,
  LoginTexts,
  UniqueValue,
} from '../../stores/ports/directory.ts'
import type { Tickets } from '../../stores/ports/people/tickets.ts'
import type { Declarations } from './declarations.ts'
import { uniqueValueOf } from './texts.ts'
import { foldName } from '../names/user-name.ts'

/** What texts go by; each function gives the setting of now. */
export interface LoginTextsOptions {
  readonly declarations: () => Declarations
  /** `name`, and the unique attributes by which somebody may log in. */
  readonly login: () => readonly string[]
}

/** The account's own name, in `login`. */
export const NAME = 'name'

/** What is written of an account, as far as somebody could log in by it. */
type Written = Partial<Pick<AttributesChange, 'attributes' | 'uniqueValues'>> & {
  readonly name?: string
}

/** The texts. */
export interface NameLogins {
  /** The unique values by which a text may log somebody in. */
  valuesOf(text: string): readonly UniqueValue[]
  /** The same write, with the texts that it takes. */
  naming<Write extends Written>(write: Write): Write & { readonly logins?: LoginTexts }
}

/** Makes it. */
export function createNameLogins({ declarations, login }: LoginTextsOptions): NameLogins {
  const valuesOf = (text: string) =>
    login()
      .filter(attribute => attribute !== NAME)
      .flatMap(attribute => uniqueValueOf(attribute, text, declarations()) ?? [])

  function namesOf({ attributes = {}, uniqueValues = [] }: Written) {
    if (!login().includes(NAME)) return []
    return uniqueValues
      .filter(({ attribute }) => login().includes(attribute))
      .flatMap(value => {
        const texts = [String(attributes[value.attribute]), value.value]
        const names = new Set(texts.flatMap(text => foldName(text) ?? []))
        return [...names].map(foldedName => ({ ...value, foldedName }))
      })
  }

  return {
    valuesOf,
    naming(write) {
      const ofName = write.name === undefined ? [] : valuesOf(write.name)
      const ofValues = namesOf(write)
      return ofName.length + ofValues.length === 0
        ? write
        : { ...write, logins: { ofName, ofValues } }
    },
  }
}

/** The store's tickets, whose writes do so, too. */
export function namingTickets(
  tickets: Tickets,
  { naming }: Pick<NameLogins, 'naming'>,
): Tickets {
  return { ...tickets, setAttributes: change => tickets.setAttributes(naming(change)) }
}

/** The store's directory, whose writes name the texts that they take. */
export function namingLogins(
  directory: BuiltInDirectory,
  { naming }: Pick<NameLogins, 'naming'>,
): BuiltInDirectory {
  return {
    ...directory,
    add: account => directory.add(naming(account)),
    async addAll(accounts) {
      const named = accounts.map(naming)
      const added = await directory.addAll(named)
      return new Set(accounts.filter((_, index) => added.has(Object(named[index]))))
    },
    rename: change => directory.rename(naming(change)),
    setAttributes: change => directory.setAttributes(naming(change)),
    change: change => directory.change(naming(change)),
  }
}
