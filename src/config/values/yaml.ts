// The file's YAML as plain objects. The library's own messages quote the text, and so perhaps a secret: only
// its code and the position are reported.
import { isMap, LineCounter, parseDocument, visit, type Document } from 'yaml'
import { ConfigError, type Fault, type Place } from '../faults.ts'

/** What was read, and where it stands. */
export interface ParsedYaml {
  readonly tree: unknown
  /** The line of the key at `place`, from 1; undefined where it stands behind an alias. */
  lineOf(place: Place): number | undefined
}

/**
 * Reads YAML 1.2 strictly.
 *
 * @throws ConfigError with the place of each fault
 */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    strict: true,
    uniqueKeys: true,
    prettyErrors: false,
    // Its warnings would go to standard error, with what they warn of.
    logLevel: 'error',
    lineCounter: lines,
  })
  const faultAt = (start: number, what: string): Fault => {
    const { line, col } = lines.linePos(start)
    return { path: `line ${line}, column ${col}`, expected: `valid YAML (${what})` }
  }
  const malformed = withoutEchoes(
    text,
    [...document.errors, ...document.warnings].map(({ code, pos: [start] }) => ({
      code,
      start,
      line: lines.linePos(start).line,
    })),
  ).map(({ code, start }) =>
    faultAt(
      start,
      isBareVariable(text, start)
        ? `within [ ] and { } a text with \${…} stands in quotes: "\${NAME}"`
        : code.toLowerCase().replaceAll('_', ' '),
    ),
  )
  refuse(malformed.length > 0 ? malformed : aliasFaults(document, faultAt))
  return {
    tree: toTree(document),
    lineOf(place) {
      const start = startOfKey(document, place)
      return start === undefined ? undefined : lines.linePos(start).line
    },
  }
}

/** Whether the brace of a `${…}` is taken for one of YAML's. */
function isBareVariable(text: string, start: number): boolean {
  return text.startsWith('${', start - 1)
}

/** Leaves out what else the library finds in the line of a bare `${…}`: it follows from that. */
function withoutEchoes<Found extends { readonly start: number; readonly line: number }>(
  text: string,
  all: readonly Found[],
): Found[] {
  const bare = all.filter(({ start }) => isBareVariable(text, start))
  const lines = new Set(bare.map(({ line }) => line))
  return all.filter(each => bare.includes(each) || !lines.has(each.line))
}

function refuse(faults: readonly Fault[]): void {
  if (faults.length > 0) throw new ConfigError(faults)
}

function aliasFaults(
  document: Document.Parsed,
  faultAt: (start: number, what: string) => Fault,
): Fault[] {
  const faults: Fault[] = []
  visit(document, {
    Alias(_key, alias, ancestors) {
      const start = Number(alias.range?.[0])
      const node = alias.resolve(document)
      if (node === undefined) {
        faults.push(faultAt(start, 'an alias without an anchor before it'))
      } else if (ancestors.includes(node)) {
        // Whoever walks the tree would never come to its end.
        faults.push(faultAt(start, 'an alias inside of what it stands for'))
      }
    },
  })
  return faults
}

function toTree(document: Document.Parsed): unknown {
  try {
    return document.toJS()
  } catch {
    throw new ConfigError([
      { path: '(the file)', expected: 'valid YAML (aliases that multiply less)' },
    ])
  }
}

function startOfKey(document: Document.Parsed, place: Place): number | undefined {
  const parent = document.getIn(place.slice(0, -1), true)
  if (!isMap<{ value: unknown; range?: readonly number[] }>(parent)) return undefined
  const pair = parent.items.find(({ key }) => String(key.value) === place.at(-1))
  return pair?.key.range?.[0]
}
