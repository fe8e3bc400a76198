// What the configuration says of the two logs.
import { Type } from 'typebox'
import { section } from './parts.ts'

/** `log` */
export const LogSchema = section('The log on standard output.', {
  level: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map(level =>
      Type.Literal(level),
    ),
    { default: 'info', description: 'The lowest level that is logged.' },
  ),
  format: Type.Optional(
    Type.Union([Type.Literal('json'), Type.Literal('ecs'), Type.Literal('pretty')], {
      description:
        'json: one object a line; ecs: the same in the names of the Elastic Common ' +
        'Schema; pretty: for ' +
        'people. Without it pretty on a terminal, else json. A file of `audit.to` is never pretty.',
    }),
  ),
  times: Type.Union([Type.Literal('epoch'), Type.Literal('iso')], {
    default: 'epoch',
    description:
      '`time` of json as milliseconds since the Unix epoch, or as ISO 8601 (ecs always).',
  }),
  levels: Type.Union([Type.Literal('numbers'), Type.Literal('words')], {
    default: 'numbers',
    description: '`level` of json as number (info is 30), or as word (ecs always).',
  }),
  service: Type.String({
    pattern: '^[\\w.:/-]{1,64}$',
    default: 'latchkey',
    expected: 'up to 64 letters, digits and . _ : / -',
    description: '`service` of every line, to tell installations apart.',
  }),
  successes: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 1,
    description:
      'The share of successful requests that is logged, from 0 to 1. Refusals, ' +
      'faults and audit events are always logged.',
  }),
  usernames: Type.Boolean({
    default: false,
    description:
      'Whether audit events show the names that were typed, instead of a keyed hash.',
  }),
})

/** `audit` */
export const AuditSchema = section('The audit log (docs/audit.md).', {
  to: Type.String({
    minLength: 1,
    default: 'stdout',
    expected: 'stdout, or a file',
    description:
      'stdout: together with the log; otherwise a separate file, which is reopened ' +
      'on SIGHUP.',
  }),
})
