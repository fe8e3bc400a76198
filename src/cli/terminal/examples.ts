// The examples at the end of a help text: a noun's help shows those of all its verbs, a verb's its own.
import type { Command } from 'commander'

/**
 * Adds examples to a noun and to its verbs.
 *
 * @param heading the line above them, which ends with a colon
 * @param examples one command line each
 */
export function addExamples(
  noun: Command,
  heading: string,
  examples: readonly string[],
): void {
  const starts = (command: Command) => `latchkey ${noun.name()} ${command.name()}`
  noun.addHelpText('afterAll', ({ command }) => {
    const own =
      command === noun
        ? examples
        : examples.filter(line => `${line} `.includes(`${starts(command)} `))
    if (own.length === 0) return ''
    return `\n${heading}\n${own.map(line => `  ${line}\n`).join('')}`
  })
}
