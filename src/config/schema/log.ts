// What the configuration says of the two logs.
import { Type } from 'typebox'
import { section } from './parts.ts'

/** `log` */
export const LogSchema = section('The log on standard output.', {
  level: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map(level =>
      Type.Literal(level),
    ),
    { default: 'info', description: 'Least level that is written.' },
  ),
  usernames: Type.Boolean({
    default: false,
    description:
      'Whether audit events show the names that were typed, and not a keyed hash of them.',
  }),
})

/** `audit` */
export const AuditSchema = section('The audit log (docs/audit.md).', {
  to: Type.String({
    minLength: 1,
    default: 'stdout',
    expected: 'stdout, or a file',
    description: 'stdout: beside the log; else a file of its own, opened anew on SIGHUP.',
  }),
})
