// The little of the OCI distribution protocol that a release needs: bytes and manifests, pushed. One client
// for image, chart, signatures and attestations, as no tool that is packaged everywhere pushes all four.
import { createHash } from 'node:crypto'

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const INDEX = 'application/vnd.oci.image.index.v1+json'

/** What names bytes in a registry. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
}

/** One repository of a registry. */
export interface Repository {
  /** Ends well where this login may push there: an upload is begun, and given up. */
  mayPush(): Promise<void>
  /** Puts bytes there, unless they are there already. */
  putBlob(bytes: Uint8Array): Promise<void>
  /** Puts a manifest there, under a tag or its digest. */
  putManifest(reference: string, mediaType: string, bytes: Uint8Array): Promise<void>
}

/** `sha256:…` of bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** The descriptor of bytes. */
export function describe(
  mediaType: string,
  bytes: Uint8Array,
  annotations?: Readonly<Record<string, string>>,
): Descriptor {
  return {
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
    ...(annotations && { annotations }),
  }
}

/** A layer and its bytes. */
export interface Layer {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** Puts a manifest of one configuration and some layers there; returns its descriptor. */
export async function putArtifact(
  repository: Repository,
  tag: string,
  { config, layers }: { readonly config: Layer; readonly layers: readonly Layer[] },
): Promise<Descriptor> {
  for (const { bytes } of [config, ...layers]) await repository.putBlob(bytes)
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: describe(config.mediaType, config.bytes),
      layers: layers.map(({ mediaType, bytes, annotations }) =>
        describe(mediaType, bytes, annotations),
      ),
    }),
  )
  await repository.putManifest(tag, MANIFEST, manifest)
  return describe(MANIFEST, manifest)
}

/** One repository of a registry, as far as the requests to it go. */
interface Door {
  /** For messages: `host: path`. */
  readonly name: string
  readonly base: URL
  /** Sends a request, with the login where it goes to the registry itself. */
  ask(url: URL | string, init?: RequestInit): Promise<Response>
}

/**
 * Opens a repository. A registry on loopback is spoken to over http, every other over https. The login goes
 * to the registry itself and to the https address that it names for tokens; a place elsewhere that it names
 * for the bytes gets them without it.
 *
 * @param name `host[:port]/path`; `docker.io` is Docker Hub
 * @param basic `user:password` in base64, as a login leaves it; undefined: nobody is logged in
 * @throws Error, as a rejection of each call, that names host, step and status
 */
export function openRepository(name: string, basic?: string): Repository {
  const door = openDoor(name, basic)
  return {
    async mayPush() {
      const upload = await beginUpload(door)
      // It is a courtesy to the registry, which forgets an upload by itself.
      await door.ask(upload, { method: 'DELETE' }).catch(() => {})
    },
    async putBlob(bytes) {
      const digest = digestOf(bytes)
      if ((await door.ask(`blobs/${digest}`, { method: 'HEAD' })).ok) return
      const url = await beginUpload(door)
      url.searchParams.set('digest', digest)
      await put(door, url, { bytes, type: 'application/octet-stream' })
    },
    putManifest: (reference, type, bytes) =>
      put(door, `manifests/${reference}`, { bytes, type }),
  }
}

const isLoopback = (host: string): boolean =>
  /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(host)

function openDoor(name: string, basic: string | undefined): Door {
  const [, named = '', path = ''] = /^([^/]+)\/(.+)$/.exec(name) ?? []
  // Docker Hub answers under another name than its images have.
  const host = named === 'docker.io' ? 'registry-1.docker.io' : named
  const base = new URL(`${isLoopback(host) ? 'http' : 'https'}://${host}/v2/${path}/`)
  let authorization = basic === undefined ? undefined : `Basic ${basic}`

  async function ask(url: URL | string, init: RequestInit = {}): Promise<Response> {
    const target = new URL(url, base)
    const isElsewhere = target.origin !== base.origin
    const send = () => {
      const headers = new Headers(init.headers)
      if (authorization !== undefined && !isElsewhere) {
        headers.set('authorization', authorization)
      }
      return fetch(target, { ...init, headers })
    }
    const answer = await send()
    const challenge = answer.headers.get('www-authenticate') ?? ''
    const isAsked = answer.status === 401 && /^bearer /i.test(challenge)
    if (isElsewhere || !isAsked) return answer
    authorization = `Bearer ${await tokenFor(challenge, { base, basic })}`
    return send()
  }

  return { name: `${named}: ${path}`, base, ask }
}

/** Gives the address that takes the bytes. */
async function beginUpload({ name, base, ask }: Door): Promise<URL> {
  const begun = await ask('blobs/uploads/', { method: 'POST' })
  const location = begun.headers.get('location')
  if (!begun.ok || location === null) {
    throw new Error(`${name}: no upload could be begun: ${begun.status}`)
  }
  return new URL(location, base)
}

async function put(
  { name, ask }: Door,
  url: URL | string,
  { bytes, type }: { readonly bytes: Uint8Array; readonly type: string },
): Promise<void> {
  const answer = await ask(url, {
    method: 'PUT',
    body: Buffer.from(bytes),
    headers: { 'content-type': type },
  })
  if (!answer.ok) throw new Error(`${name} was refused: ${answer.status}`)
}

/** The token that a challenge asks for (the distribution specification's token authentication). */
async function tokenFor(
  challenge: string,
  { base, basic }: { readonly base: URL; readonly basic: string | undefined },
): Promise<string> {
  const said = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  )
  const realm = said.get('realm') ?? ''
  const url = URL.parse(realm)
  // A registry on loopback may have its tokens there, too; anywhere else a password needs TLS.
  const isLocal =
    url?.protocol === 'http:' && isLoopback(url.host) && isLoopback(base.host)
  const isSafe = url?.protocol === 'https:' || isLocal
  if (url === null || !isSafe) {
    throw new Error(`${base.host} wants the login at "${realm}", which is not https`)
  }
  for (const name of ['service', 'scope']) {
    const value = said.get(name)
    if (value !== undefined) url.searchParams.set(name, value)
  }
  const headers = basic === undefined ? {} : { authorization: `Basic ${basic}` }
  const answer = await fetch(url, { headers })
  const body: any = answer.ok ? await answer.json() : {}
  const token: unknown = body.token ?? body.access_token
  if (typeof token !== 'string') {
    throw new Error(`${url.host} gave no token: ${answer.status}; is anybody logged in?`)
  }
  return token
}
