// What development mode adds to a server: the demo user, and what it says to whoever started it.
import type { Development } from './config/development.ts'
import type { Core } from './core/core.ts'

/** Adds the demo user; resolves to whether it was missing. */
export async function addDemoUser(
  accounts: Core['accounts'],
  { demo: { name, password } }: Development,
): Promise<boolean> {
  const user = {
    name,
    password,
    scopes: null,
    roles: ['demo'],
  }
  return (await accounts.add(user)).kind === 'added'
}

/**
 * What development mode prints; with the password where the demo user is new. For the terminal and not the
 * log: the password is shown once, to whoever started the server by hand.
 */
export function demoBanner({ demo }: Development, url: string, isNew: boolean): string {
  const lines = [
    '',
    '  Latchkey runs in DEVELOPMENT MODE. Do not use it for anything real.',
    isNew
      ? `  Demo user: ${demo.name}   password: ${demo.password}`
      : '  Demo user: demo; its password is in .latchkey/demo-password',
    '  Get a token:',
    `    curl -d grant_type=password -d client_id=${demo.clientId} -d username=${demo.name} -d ` +
      `password="$(cat .latchkey/demo-password)" ${url}/token`,
    `  Try the API: ${url}/docs`,
    '',
  ]
  return lines.join('\n') + '\n'
}
