// --attribute, --remove and --email-verified: what is known of a user, as the command line says it.
import { InvalidArgumentError, type Command } from 'commander'
import type { Config } from '../../config/schema.ts'
import type { AttributesRequest } from '../../users/account-attributes.ts'
import { declarationsOf } from '../../users/attributes/declarations.ts'
import { changesOfTexts, type AttributeText } from '../../users/attributes/texts.ts'
import { Refused } from '../terminal/refused.ts'

/** The options that say what is known of a user. */
export interface AttributeOptions {
  readonly attribute?: readonly AttributeText[]
  readonly remove?: readonly string[]
  readonly emailVerified?: boolean
}

/** Adds --attribute to a command. */
export function withAttribute(command: Command): Command {
  return command.option(
    '--attribute <name=value>',
    'an attribute of the user that the configuration declares; repeat it for a list',
    addText,
  )
}

/** What the options ask for; an attribute that is removed and set is set. */
export function attributesOf(
  { attribute = [], remove = [], emailVerified }: AttributeOptions,
  { attributes: declared }: Config,
): AttributesRequest {
  return {
    attributes: {
      ...Object.fromEntries(remove.map(name => [name, null])),
      ...changesOfTexts(attribute, declarationsOf(declared)),
    },
    emailVerified,
  }
}

/** A refusal that names the attribute; undefined: it is about something else. */
export function attributeRefused(refused: {
  readonly reason: string
  readonly path?: string
  readonly expected?: string
}): Refused | undefined {
  const { reason, path, expected } = refused
  if (path === undefined) return undefined
  const words =
    expected === undefined ? 'another account has this value' : `expected ${expected}`
  return new Refused(reason, `${path}: ${words}`)
}

function addText(text: string, before: readonly AttributeText[] = []): AttributeText[] {
  const [name = ''] = text.split('=', 1)
  if (name === text || name === '') {
    throw new InvalidArgumentError('A pair such as email=ann@example.com.')
  }
  return [...before, [name, text.slice(name.length + 1)]]
}

/** Collects the texts of an option that may come again. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}
