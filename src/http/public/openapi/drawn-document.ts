// The document as the page at /docs draws it: a person logs in by one form, and what they try goes well as it
// is filled in. The published document stays as it is.
import type { Client } from '../../../clients/registry.ts'
import { FORM } from '../../request/form-body.ts'

/** The parts of the published document that are drawn in another way. */
export interface Published {
  readonly components: {
    readonly schemas: Readonly<Record<string, unknown>>
    readonly securitySchemes: { readonly user: object }
  }
}

/** What a form may hold, as the document describes it. */
interface FormSchema {
  readonly properties: Readonly<Record<string, FieldSchema>>
  readonly required?: readonly string[]
}

interface FieldSchema {
  readonly type?: string
  readonly enum?: readonly string[]
}

/**
 * The document for the page. `client` is the one that its forms name, where there is just one to choose.
 *
 * The form for a client's own password goes: Swagger UI would open its dialog there, and people typed the
 * user's password into it; each form of an endpoint takes `client_id` and `client_secret`. Forms begin empty
 * but for what a login needs: Swagger UI would fill every field with a sample, such as `string`, and send it.
 */
export function drawnDocument(
  { components, ...document }: Published,
  client: Pick<Client, 'id' | 'audience'> | undefined,
): object {
  const filled = { grant_type: 'password', client_id: client?.id ?? '' }
  const schemas = Object.fromEntries(
    Object.entries(components.schemas).map(([name, schema]) => [
      name,
      name.endsWith('Request') ? withFields(Object(schema), filled) : schema,
    ]),
  )
  const { user } = components.securitySchemes
  const drawn = {
    ...document,
    components: { ...components, schemas, securitySchemes: { user } },
  }
  return JSON.parse(
    JSON.stringify(drawn, (name, value) => {
      if (name === FORM) return { schema: value.schema }
      if (name === 'security') return withoutClients(value)
      return name === 'parameters' ? value.map(parameterFor(client)) : value
    }),
  )
}

// No field is required: the page sends what was filled in and shows the server's answer.
function withFields(
  { required, properties, ...schema }: FormSchema,
  filled: Readonly<Record<string, string>>,
): object {
  const fields = Object.entries(properties).map(([name, { enum: values, ...field }]) => [
    name,
    { ...field, example: field.type === 'array' ? [] : (filled[name] ?? '') },
  ])
  return { ...schema, properties: Object.fromEntries(fields) }
}

function withoutClients(requirements: readonly object[]): object[] {
  return requirements.filter(requirement => !('client' in requirement))
}

/** What may be left out is left out; the audience is one that the client's tokens are for. */
function parameterFor(client: Pick<Client, 'audience'> | undefined) {
  return ({
    example,
    ...parameter
  }: {
    example?: unknown
    name: string
    required?: boolean
  }) => {
    if (parameter.required !== true) return parameter
    const [audience = example] = client?.audience ?? []
    return {
      ...parameter,
      example: parameter.name === 'Latchkey-Audience' ? audience : example,
    }
  }
}
