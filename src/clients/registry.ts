// This folder holds the registered clients and authenticates them. It decides nothing about users or tokens.
// src/http/ asks it for the client of a request; a reload of the configuration replaces the registry as a
// whole.
import { hash } from 'node:crypto'

/** The prefix of a secret's hash. */
const HASHED = 'sha256:'

/** An application that asks for tokens or about them. */
export interface Client {
  readonly id: string
  /** SHA-256 of each secret; none: a public client. */
  readonly secretHashes: readonly Buffer[]
  /** Public keys (JWK) that sign its assertions (RFC 7523), and where they are fetched instead. */
  readonly keys: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly jwksUri: string | undefined
  /** Whether that place may have a private address. */
  readonly jwksUriMayBePrivate: boolean
  /** Whether its assertions may be for the token endpoint, too, and not for the issuer only. */
  readonly assertionAudience: 'issuer' | 'endpoint'
  /** How long its assertions may live; milliseconds. Undefined: ten minutes. */
  readonly assertionMaxAge: number | undefined
  readonly grants: readonly string[]
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  readonly introspect: 'own' | 'any'
  /** Whether an access token that was issued to it may stand for it when it introspects (RFC 7662 §2.1). */
  readonly introspectByToken: boolean
  readonly forwardsAddress: boolean
  readonly lateRetry: 'burn' | 'refuse'
  /** Whether its tokens may or must be bound to a key (RFC 9449). */
  readonly dpop: 'allowed' | 'required'
  /** What signs its ID tokens and the answers of /userinfo that it asks for signed; undefined: any. */
  readonly idTokenAlgorithm: string | undefined
  /** Milliseconds; undefined: the server's own. */
  readonly accessTtl: number | undefined
  readonly refreshIdle: number | undefined
  readonly refreshAbsolute: number | undefined
}

/** A client as the configuration writes it. */
export interface ClientSettings extends Omit<
  Client,
  | 'secretHashes'
  | 'jwksUri'
  | 'idTokenAlgorithm'
  | 'assertionMaxAge'
  | 'accessTtl'
  | 'refreshIdle'
  | 'refreshAbsolute'
> {
  /** `sha256:` and 43 characters of base64url each. */
  readonly secrets: readonly string[]
  readonly jwksUri?: string
  readonly idTokenAlgorithm?: string
  readonly assertionMaxAge?: number
  readonly accessTtl?: number
  readonly refreshIdle?: number
  readonly refreshAbsolute?: number
}

/** Where clients are looked up. */
export interface ClientRegistry {
  find(id: string): Client | undefined
  /** Whether the text is some client's secret, so that it must not be logged as its id. */
  isSecret(text: string): boolean
  /** Whether `audience` is one that some client may get tokens for. */
  knowsAudience(audience: string): boolean
  /** Every scope that some client may ask for. */
  scopes(): readonly string[]
  /** All of them. */
  all(): readonly Client[]
  /** How often the clients were replaced. */
  generation(): number
  /** Puts another set of clients in place of this one. */
  replace(settings: readonly ClientSettings[]): void
}

/** Makes a registry of the configured clients. */
export function createClientRegistry(
  settings: readonly ClientSettings[],
): ClientRegistry {
  let clients = index(settings)
  let audiences = allAudiences(settings)
  let scopes = allScopes(settings)
  let secrets = allSecrets(settings)
  let generation = 0
  return {
    find: id => clients.get(id),
    isSecret: text => secrets.has(`${HASHED}${hash('sha256', text, 'base64url')}`),
    knowsAudience: audience => audiences.has(audience),
    scopes: () => scopes,
    all: () => [...clients.values()],
    generation: () => generation,
    replace(next) {
      clients = index(next)
      audiences = allAudiences(next)
      scopes = allScopes(next)
      secrets = allSecrets(next)
      generation += 1
    },
  }
}

function index(settings: readonly ClientSettings[]): Map<string, Client> {
  return new Map(settings.map(client => [client.id, toClient(client)]))
}

function allAudiences(settings: readonly ClientSettings[]): Set<string> {
  return new Set(settings.flatMap(client => client.audience))
}

function allScopes(settings: readonly ClientSettings[]): string[] {
  return [...new Set(settings.flatMap(client => client.scopes))].sort()
}

function allSecrets(settings: readonly ClientSettings[]): Set<string> {
  return new Set(settings.flatMap(client => client.secrets))
}

function toClient({ secrets, ...settings }: ClientSettings): Client {
  return {
    ...settings,
    jwksUri: settings.jwksUri,
    idTokenAlgorithm: settings.idTokenAlgorithm,
    assertionMaxAge: settings.assertionMaxAge,
    accessTtl: settings.accessTtl,
    refreshIdle: settings.refreshIdle,
    refreshAbsolute: settings.refreshAbsolute,
    secretHashes: secrets.map(line =>
      Buffer.from(line.slice(HASHED.length), 'base64url'),
    ),
  }
}
