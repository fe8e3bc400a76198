// GET /: names the server and links to the rest, for people who open the issuer's address in a browser.
import type { FastifyInstance } from 'fastify'

export interface StartPageOptions {
  /** The issuer's path, without a slash at its end; empty where it has none. */
  readonly path: string
  /** Whether /docs is served. */
  readonly docs: boolean
}

/** Serves the page, which says nothing that the metadata doesn't: no version, no client, no user. */
export async function startPageRoute(
  app: FastifyInstance,
  options: StartPageOptions,
): Promise<void> {
  const page = pageOf(options)
  app.get('/', { schema: { hide: true } }, async (_request, reply) => {
    reply.type('text/html; charset=utf-8').header('cache-control', 'public, max-age=300')
    return page
  })
}

// The path is that of a URL, which holds no quote and no <.
function pageOf({ path, docs }: StartPageOptions): string {
  const base = path.replaceAll('&', '&amp;')
  const links: [string, string][] = [
    ...(docs
      ? [
          ['/docs', 'The API: log in there, and try every endpoint'] satisfies [
            string,
            string,
          ],
        ]
      : []),
    [
      '/.well-known/oauth-authorization-server',
      'Metadata (RFC 8414): where each endpoint is',
    ],
    ['/.well-known/jwks.json', 'The public keys that tokens are verified with'],
  ]
  const items = links.map(([to, text]) => `<li><a href="${base}${to}">${text}</a>\n`)
  return [
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n',
    '<meta name="viewport" content="width=device-width">\n',
    '<meta name="color-scheme" content="light dark">\n<title>Latchkey</title>\n',
    '<h1>Latchkey</h1>\n',
    '<p>The token server of an app (OAuth 2.0). The app sends a name and a password, gets tokens for them,\n',
    'and shows these to its services, which verify them by the keys below.\n',
    '<p>You want to log in? Do so in your app: there is no form here.\n',
    `<ul>\n${items.join('')}</ul>\n</html>\n`,
  ].join('')
}
