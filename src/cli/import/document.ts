// The users of one JSON document, however large: a list of them, an object with a list `users`, or a list of
// such objects, as Keycloak writes several realms. Never more than one user is in memory.
import { Assembler } from 'stream-json/assembler.js'
import type { Token } from 'stream-json/parser.js'

interface Container {
  readonly isList: boolean
  /** Whether its items are users. */
  readonly holdsUsers: boolean
  /** The member that is being read. */
  key: string
}

/** Puts the users together, in their order; a document without any gives none. */
export async function* usersOf(tokens: AsyncIterable<Token>): AsyncGenerator<unknown> {
  const containers: Container[] = []
  let user: { readonly parts: Assembler; readonly depth: number } | undefined
  for await (const token of tokens) {
    const within = containers.at(-1)
    const beginsUsers = token.name === 'startArray' && isUsersOfRealm(containers)
    // What looked like a user of a list is a realm.
    if (beginsUsers) user = undefined
    else if (user === undefined && within?.holdsUsers === true && begins(token)) {
      user = { parts: new Assembler(), depth: containers.length }
    }
    follow(token, containers, beginsUsers)
    if (user === undefined) continue
    user.parts.consume(token)
    if (user.depth < containers.length) continue
    yield user.parts.current
    user = undefined
  }
}

/** Keeps account of where in the document the next token stands. */
function follow(token: Token, containers: Container[], beginsUsers: boolean): void {
  const within = containers.at(-1)
  if (token.name === 'keyValue' && within !== undefined) within.key = token.value
  if (token.name === 'startArray') {
    // A document that is a list is one of users until a realm shows.
    const holdsUsers = beginsUsers || containers.length === 0
    containers.push({ isList: true, holdsUsers, key: '' })
  }
  if (token.name === 'startObject') {
    containers.push({ isList: false, holdsUsers: false, key: '' })
  }
  if (token.name === 'endArray' || token.name === 'endObject') containers.pop()
}

function begins({ name }: Token): boolean {
  return name !== 'endArray' && name !== 'endObject'
}

/** Whether the value that begins is the member `users` of the document, or of an item of its list. */
function isUsersOfRealm(containers: readonly Container[]): boolean {
  const realm = containers.at(-1)
  const isOutermost =
    containers.length === 1 || (containers.length === 2 && containers[0]?.isList === true)
  return isOutermost && realm?.isList === false && realm.key === 'users'
}
