// The log of a process that is no server itself: the same lines, at the same place.
import pino from 'pino'
import type { LogForm } from './line-form.ts'
import { rewriteOf } from './line-form.ts'
import { createLogOutput } from './log-output.ts'
import { logOptions } from './log.ts'

/** Opens it; it goes to standard output. */
export function openProcessLog(
  {
    level,
    service,
    ...form
  }: LogForm & { readonly level: string; readonly service: string },
  isTerminal: boolean,
) {
  return pino(logOptions(level, service), createLogOutput(1, rewriteOf(form, isTerminal)))
}
