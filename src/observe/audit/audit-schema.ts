// What an audit line holds; tests hold every line to it.
import { Type, type Static } from 'typebox'
import { AUDIT_EVENTS } from './audit-events.ts'
import { Count } from './members.ts'

/** One line of the audit log. */
export const AuditLine = Type.Object(
  {
    level: Type.Literal(30, { description: "As in the log's lines: info." }),
    time: Type.Integer({ minimum: 0, description: 'Milliseconds since the Unix epoch.' }),
    pid: Count,
    hostname: Type.String({ description: 'With Kubernetes the pod.' }),
    service: Type.String({ description: 'As `log.service`.' }),
    reqId: Type.Optional(
      Type.String({
        description:
          "The request, as the log's lines name it and its answer does (`X-Request-Id`).",
      }),
    ),
    traceparent: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$',
        description:
          "The request's header of that name (W3C Trace Context), if it had one.",
      }),
    ),
    audit: Type.Union([...AUDIT_EVENTS], { description: 'What happened.' }),
    msg: Type.Literal('audit'),
  },
  { additionalProperties: false },
)
export type AuditLine = Static<typeof AuditLine>
