// Which attributes accounts may have. The configuration declares them; whatever checks or reads a value asks
// here.
import { standardTypeOf, type AttributeType } from '../../oauth/standard-claims.ts'

/** What is known of one attribute. */
export interface Declaration {
  readonly type: AttributeType
  /** Of each text, in code points. */
  readonly maxLength: number
  readonly list: boolean
  readonly unique: boolean
  /** Whether users may change it themselves. */
  readonly self: boolean
}

/** Name → what it may be. */
export type Declarations = ReadonlyMap<string, Declaration>

/** As the configuration declares an attribute. */
export interface DeclaredAttribute {
  readonly type?: AttributeType
  readonly maxLength?: number
  readonly list: boolean
  readonly unique: boolean
  readonly self?: boolean
}

const MAX_LENGTH = 255

/** Reads the declarations; the type of a claim of OpenID Connect Core §5.1 may be left out. */
export function declarationsOf(
  declared: Readonly<Record<string, DeclaredAttribute>>,
): Declarations {
  return new Map(
    Object.entries(declared).map(([name, { type, maxLength, list, unique, self }]) => [
      name,
      {
        type: type ?? standardTypeOf(name) ?? 'string',
        maxLength: maxLength ?? MAX_LENGTH,
        list,
        unique,
        self: self === true,
      },
    ]),
  )
}
