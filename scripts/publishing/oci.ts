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

/**
 * Opens a repository. A registry on loopback is spoken to over http, every other over https.
 *
 * @param name `host[:port]/path`
 * @param basic `user:password` in base64, as a login leaves it; undefined: nobody is logged in
 * @throws Error, as a rejection of each call, that names host, step and status
 */
export function openRepository(name: string, basic?: string): Repository {
  const [, host = '', path = ''] = /^([^/]+)\/(.+)$/.exec(name) ?? []
  const isLocal = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(host)
  const base = `${isLocal ? 'http' : 'https'}://${host}/v2/${path}/`
  let authorization = basic === undefined ? undefined : `Basic ${basic}`

  async function ask(url: URL | string, init: RequestInit = {}): Promise<Response> {
    const send = () => {
      const headers = new Headers(init.headers)
      if (authorization !== undefined) headers.set('authorization', authorization)
      return fetch(new URL(url, base), { ...init, headers })
    }
    const answer = await send()
    const challenge = answer.headers.get('www-authenticate') ?? ''
    if (answer.status !== 401 || !/^bearer /i.test(challenge)) return answer
    authorization = `Bearer ${await tokenFor(challenge, basic)}`
    return send()
  }

  async function put(url: URL | string, bytes: Uint8Array, type: string): Promise<void> {
    const answer = await ask(url, {
      method: 'PUT',
      body: Buffer.from(bytes),
      headers: { 'content-type': type },
    })
    if (!answer.ok) throw new Error(`${host}: ${path} was refused: ${answer.status}`)
  }

  return {
    async putBlob(bytes) {
      const digest = digestOf(bytes)
      if ((await ask(`blobs/${digest}`, { method: 'HEAD' })).ok) return
      const begun = await ask('blobs/uploads/', { method: 'POST' })
      const location = begun.headers.get('location')
      if (!begun.ok || location === null) {
        throw new Error(`${host}: no upload to ${path} could be begun: ${begun.status}`)
      }
      const url = new URL(location, base)
      url.searchParams.set('digest', digest)
      await put(url, bytes, 'application/octet-stream')
    },
    putManifest: (reference, mediaType, bytes) =>
      put(`manifests/${reference}`, bytes, mediaType),
  }
}

/** The token that a challenge asks for (the distribution specification's token authentication). */
async function tokenFor(challenge: string, basic: string | undefined): Promise<string> {
  const said = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  )
  const url = new URL(said.get('realm') ?? '')
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
