// Text for terminals: what came from elsewhere (roles, tokens, file names) must not move the cursor, set the
// title or turn the writing round.

// Controls of both sets, separators of lines, lone surrogates and format characters; but not the joiners,
// which names of some scripts need.
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?![\u200C\u200D])\p{Cf}/gu

/**
 * One line of text with every control and format character as JSON writes it (`\u009b`), line breaks too.
 * JSON stays the same value.
 */
export function printable(line: string): string {
  return line.replace(CONTROLS, character =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
}

/** The same for text whose line breaks are our own. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}
