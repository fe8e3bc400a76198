// The form of a line of the log. Lines are made in one form, JSON with numbers for time and level; whoever
// wants another one has each line written anew on its way out, audit lines included. Nothing gets into a line
// here that wasn't in it before.
import { ecsLine } from './ecs-line.ts'
import { levelWord, recordOf, timeText } from './log-record.ts'
import { readableLine } from './readable-log.ts'

/** What the configuration says of it. */
export interface LogForm {
  /** Undefined: pretty on a terminal, else json. */
  readonly format?: 'json' | 'ecs' | 'pretty' | undefined
  readonly times: 'epoch' | 'iso'
  readonly levels: 'numbers' | 'words'
}

/** Writes a line in another form; it ends as it ended before, in a line break. */
export type Rewrite = (line: string) => string

/** As it is. */
export const UNCHANGED: Rewrite = line => line

/**
 * Makes the rewriting of what goes to standard output.
 *
 * @param isTerminal whether a person reads along there
 */
export function rewriteOf(form: LogForm, isTerminal: boolean): Rewrite {
  const { format = isTerminal ? 'pretty' : 'json' } = form
  if (format === 'pretty') return line => `${readableLine(line)}\n`
  return fileRewriteOf({ ...form, format })
}

/** The same for a file, where nobody reads along: what would be pretty is JSON there. */
export function fileRewriteOf({ format, times, levels }: LogForm): Rewrite {
  if (format === 'ecs') return ecsLine
  const isPlain = times === 'epoch' && levels === 'numbers'
  return isPlain ? UNCHANGED : line => plainLine(line, { times, levels })
}

function plainLine(
  line: string,
  { times, levels }: Pick<LogForm, 'times' | 'levels'>,
): string {
  const record = recordOf(line)
  if (record === undefined) return line
  const { level, time } = record
  // The order of the members stays.
  return `${JSON.stringify({
    ...record,
    ...(levels === 'words' && { level: levelWord(level) }),
    ...(times === 'iso' && { time: timeText(time) }),
  })}\n`
}
