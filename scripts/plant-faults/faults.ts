// Which faults can be planted in a file: one small change each, as a tired programmer would make it.
import ts from 'typescript'

/** One change of one place. */
export interface Fault {
  readonly file: string
  /** Counted from 1, both. */
  readonly line: number
  readonly column: number
  /** What of the text is replaced: from here, up to here. */
  readonly start: number
  readonly end: number
  readonly kind: string
  readonly after: string
}

type Change = Pick<Fault, 'start' | 'end' | 'kind' | 'after'>

const OTHER_OPERATOR: Readonly<Record<string, string>> = {
  '===': '!==',
  '!==': '===',
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '**': '*',
  '&&': '||',
  '||': '&&',
  '+=': '-=',
  '-=': '+=',
}

/**
 * Every fault that can be planted in the text of a file, in the order of their places.
 *
 * @param file its name; what ends in `.lua` is read as Lua, all else as TypeScript
 */
export function faultsIn(file: string, text: string): Fault[] {
  const changes = file.endsWith('.lua') ? inLua(text) : inTypeScript(file, text)
  return changes
    .map(change => {
      const before = text.slice(0, change.start).split('\n')
      const column = (before.at(-1)?.length ?? 0) + 1
      return { file, line: before.length, column, ...change }
    })
    .sort((one, other) => one.start - other.start)
}

/** The text with the fault in it. */
export function planted(text: string, { start, end, after }: Fault): string {
  return text.slice(0, start) + after + text.slice(end)
}

function inTypeScript(file: string, text: string): Change[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const changes: Change[] = []
  const visit = (node: ts.Node): void => {
    // Types and imports don't run.
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node)) return
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return
    changes.push(...changesOf(node, source))
    ts.forEachChild(node, visit)
  }
  visit(source)
  return changes
}

function changesOf(node: ts.Node, source: ts.SourceFile): Change[] {
  const change = (of: ts.Node, kind: string, after: string): Change => ({
    start: of.getStart(source),
    end: of.getEnd(),
    kind,
    after,
  })
  if (ts.isIfStatement(node) || ts.isWhileStatement(node)) {
    const condition = node.expression
    return [change(condition, 'negated condition', `!(${condition.getText(source)})`)]
  }
  if (ts.isConditionalExpression(node)) {
    const { condition } = node
    return [change(condition, 'negated condition', `!(${condition.getText(source)})`)]
  }
  if (ts.isBinaryExpression(node)) {
    const operator = node.operatorToken
    const other = OTHER_OPERATOR[operator.getText(source)]
    return other === undefined ? [] : [change(operator, 'other operator', other)]
  }
  if (ts.isExpressionStatement(node) || ts.isThrowStatement(node)) {
    return [change(node, 'removed statement', ';')]
  }
  if (ts.isNumericLiteral(node)) {
    const more = String(Number(node.text) + 1)
    return [change(node, 'changed constant', more)]
  }
  if (node.kind === ts.SyntaxKind.TrueKeyword) {
    return [change(node, 'changed constant', 'false')]
  }
  if (node.kind === ts.SyntaxKind.FalseKeyword) {
    return [change(node, 'changed constant', 'true')]
  }
  return earlyReturn(node, source)
}

function earlyReturn(node: ts.Node, source: ts.SourceFile): Change[] {
  if (!ts.isFunctionLike(node) || !('body' in node)) return []
  const { body } = node
  if (body === undefined || !ts.isBlock(body) || ts.isConstructorDeclaration(node)) {
    return []
  }
  const start = body.getStart(source) + 1
  return [{ start, end: start, kind: 'returned early', after: ' return;' }]
}

const LUA: ReadonlyArray<readonly [RegExp, string, (found: string) => string]> = [
  [/ (?:==|~=) /g, 'other operator', found => (found === ' == ' ? ' ~= ' : ' == ')],
  [/ (?:<=|<) /g, 'other operator', found => (found === ' < ' ? ' <= ' : ' < ')],
  [/ (?:>=|>) /g, 'other operator', found => (found === ' > ' ? ' >= ' : ' > ')],
  [/ [+-] /g, 'other operator', found => (found === ' + ' ? ' - ' : ' + ')],
  [/ [*/] /g, 'other operator', found => (found === ' * ' ? ' / ' : ' * ')],
  [/ and /g, 'other operator', () => ' or '],
  [/ or /g, 'other operator', () => ' and '],
  [/(?<=\bif ).*?(?= then\b)/g, 'negated condition', found => `not (${found})`],
  [/(?<![\w.[%'])\d+\b(?![\].'])/g, 'changed constant', found => `${Number(found) + 1}`],
  [
    /(?<=^ *)(?:redis\.call|write_|note_|forget_|keep_|count_|take_).*\)$/gm,
    'removed statement',
    () => '',
  ],
  [/(?<=^local function .*\n)/gm, 'returned early', () => '  if true then return end\n'],
]

function inLua(text: string): Change[] {
  const isComment = (index: number) =>
    text.slice(text.lastIndexOf('\n', index) + 1, index).includes('--')
  return LUA.flatMap(([pattern, kind, replace]) =>
    [...text.matchAll(pattern)]
      .filter(({ index }) => !isComment(index))
      .map(({ 0: found, index }) => ({
        start: index,
        end: index + found.length,
        kind,
        after: replace(found),
      })),
  )
}
