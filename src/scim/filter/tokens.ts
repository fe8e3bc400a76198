// The words, values and signs of a filter.

/** What a value is compared with. */
export type Compared = string | number | boolean | null

export type Token =
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'sign'; readonly text: string }
  | { readonly kind: 'value'; readonly value: Compared }

// Each part once: what stands in quotes (what is no text of JSON, RFC 8259 §7, is refused when it is read), a
// number, a sign, a word.
const PARTS = [
  String.raw`(?<text>"(?:[^"\\]|\\.)*")`,
  String.raw`(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])`,
  String.raw`(?<sign>[()[\]])`,
  String.raw`(?<word>\.?[A-Za-z$_][\w$:.-]*)`,
]
const TOKEN = new RegExp(String.raw`\s*(?:${PARTS.join('|')})\s*`, 'y')

const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
])

/** Undefined where something is no token. */
export function tokensOf(text: string): readonly Token[] | undefined {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const groups = TOKEN.exec(text)?.groups
    const token = groups && tokenOf(groups)
    if (token === undefined) return undefined
    tokens.push(token)
  }
  return tokens
}

function tokenOf({
  text,
  number,
  sign,
  word = '',
}: Record<string, string | undefined>): Token | undefined {
  if (text !== undefined) return textToken(text)
  if (number !== undefined) return { kind: 'value', value: Number(number) }
  if (sign !== undefined) return { kind: 'sign', text: sign }
  const constant = CONSTANTS.get(word)
  return constant === undefined
    ? { kind: 'word', text: word }
    : { kind: 'value', value: constant }
}

function textToken(text: string): Token | undefined {
  try {
    return { kind: 'value', value: String(JSON.parse(text)) }
  } catch {
    return undefined
  }
}
