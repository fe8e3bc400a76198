// This folder reads filters and paths (RFC 7644 §3.4.2.2, §3.5.2): all of their grammar, and nothing else.
// What a filter means to a value in hand is in matches.ts. Which filters a list of accounts can run is for
// whoever knows the indexes to say.
import { scimError } from '../errors.ts'
import { tokensOf, type Compared } from './tokens.ts'

/** An attribute, perhaps one of a schema, perhaps a part of another one. */
export interface AttributePath {
  /** In lower case; undefined: whichever schema has it. */
  readonly schema: string | undefined
  /** In lower case. */
  readonly name: string
  /** In lower case. */
  readonly sub: string | undefined
}

export type CompareOp = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le'

/** A filter, read. */
export type Filter =
  | {
      readonly kind: 'compare'
      readonly path: AttributePath
      readonly op: CompareOp
      readonly value: Compared
    }
  | { readonly kind: 'present'; readonly path: AttributePath }
  | { readonly kind: 'and' | 'or'; readonly filters: readonly [Filter, Filter] }
  | { readonly kind: 'not'; readonly filter: Filter }
  | { readonly kind: 'values'; readonly path: AttributePath; readonly filter: Filter }

/** The target of a PATCH operation. */
export interface PatchPath {
  readonly path: AttributePath
  /** Which of several values; undefined: all. */
  readonly filter: Filter | undefined
}

const OPS: ReadonlySet<string> = new Set<CompareOp>([
  'eq',
  'ne',
  'co',
  'sw',
  'ew',
  'gt',
  'ge',
  'lt',
  'le',
])

/** Longer ones are refused: nobody writes them by hand, and each costs a walk over its text. */
const MAX_LENGTH = 4096
const MAX_DEPTH = 32

/**
 * Reads a filter.
 *
 * @throws OAuthError invalidFilter
 */
export function parseFilter(text: string): Filter {
  const reader = createReader(text, 'invalidFilter')
  const filter = reader.filter(0)
  reader.end()
  return filter
}

/**
 * Reads the path of a PATCH operation.
 *
 * @throws OAuthError invalidPath
 */
export function parsePath(text: string): PatchPath {
  const reader = createReader(text, 'invalidPath')
  const path = reader.path()
  if (!reader.take('[')) {
    reader.end()
    return { path, filter: undefined }
  }
  const filter = reader.filter(0)
  reader.expect(']')
  const sub = reader.sub()
  reader.end()
  return { path: { ...path, sub: sub ?? path.sub }, filter }
}

type Fault = 'invalidFilter' | 'invalidPath'

/** The parts of a text, one after the other. */
function createParts(text: string, fault: Fault) {
  const what = fault === 'invalidFilter' ? 'the filter' : 'the path'
  const refuse = (why: string) => scimError(fault, `${what} ${why}`)
  if (text.length > MAX_LENGTH) throw refuse(`is longer than ${MAX_LENGTH} characters`)
  const tokens = tokensOf(text)
  if (tokens === undefined) throw refuse('has a character or a text that is none')
  let at = 0

  function take(sign: string): boolean {
    const token = tokens?.[at]
    const isThere = token?.kind === 'sign' && token.text === sign
    if (isThere) at += 1
    return isThere
  }

  return {
    refuse: (why: string) => refuse(`${why} at its part ${at}`),
    take,
    expect(sign: string): void {
      if (!take(sign)) throw refuse(`lacks ${sign} at its part ${at + 1}`)
    },
    /** Takes a word of the grammar, where it is next, and a sign behind it if one must be there. */
    takeWord(word: string, isBeforeSign = false): boolean {
      const token = tokens[at]
      const isThere =
        token?.kind === 'word' &&
        token.text.toLowerCase() === word &&
        (!isBeforeSign || tokens[at + 1]?.kind === 'sign')
      if (isThere) at += 1
      return isThere
    },
    word(): string {
      const token = tokens[at]
      if (token?.kind !== 'word') throw refuse(`lacks a name at its part ${at + 1}`)
      at += 1
      return token.text
    },
    value(): Compared {
      const token = tokens[at]
      at += 1
      if (token?.kind === 'value') return token.value
      throw refuse(
        `lacks a value at its part ${at}: a text in quotes, a number, true, false or null`,
      )
    },
    sub(): string | undefined {
      const token = tokens[at]
      if (token?.kind !== 'word' || !token.text.startsWith('.')) return undefined
      at += 1
      return token.text.slice(1).toLowerCase()
    },
    end(): void {
      if (at < tokens.length) {
        throw refuse(`goes on where it should end, at its part ${at + 1}`)
      }
    },
  }
}

/** The grammar of RFC 7644 §3.4.2.2, over the parts. */
function createReader(text: string, fault: Fault) {
  const parts = createParts(text, fault)
  const { refuse, take, expect, takeWord, word } = parts

  function path(): AttributePath {
    const read = pathOf(word())
    if (read === undefined) throw refuse('has no attribute')
    return read
  }

  function expression(depth: number): Filter {
    const attribute = path()
    if (take('[')) {
      const filter = logical(depth + 1)
      expect(']')
      return { kind: 'values', path: attribute, filter }
    }
    const op = word().toLowerCase()
    if (op === 'pr') return { kind: 'present', path: attribute }
    if (!isCompareOp(op)) throw refuse('has no operator')
    return {
      kind: 'compare',
      path: attribute,
      op,
      value: parts.value(),
    }
  }

  function term(depth: number): Filter {
    if (depth > MAX_DEPTH) throw refuse('is nested too deeply')
    const isNegated = takeWord('not', true)
    if (!take('(')) return expression(depth)
    const filter = logical(depth + 1)
    expect(')')
    return isNegated ? { kind: 'not', filter } : filter
  }

  // `and` binds more closely than `or`.
  function joined(kind: 'and' | 'or', next: () => Filter): Filter {
    let left = next()
    while (takeWord(kind)) left = { kind, filters: [left, next()] }
    return left
  }

  function logical(depth: number): Filter {
    return joined('or', () => joined('and', () => term(depth)))
  }

  return {
    path,
    take,
    expect,
    filter: logical,
    sub: parts.sub,
    end: parts.end,
  }
}

function isCompareOp(text: string): text is CompareOp {
  return OPS.has(text)
}

const NAME = /^[a-z$_][\w$-]*$/

/** `schema:name.sub`; a schema is a URN, whose version has a dot. */
function pathOf(text: string): AttributePath | undefined {
  const lower = text.toLowerCase()
  const colon = lower.lastIndexOf(':')
  const [name = '', sub, ...more] = lower.slice(colon + 1).split('.')
  const isName = NAME.test(name) && (sub === undefined || NAME.test(sub))
  if (!isName || more.length > 0) return undefined
  return { schema: colon === -1 ? undefined : lower.slice(0, colon), name, sub }
}
