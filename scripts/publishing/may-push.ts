// Whether the login at hand may push to PUSH: scripts/release asks before it builds for an hour, as
// `node scripts/publishing/may-push.ts`.
import process from 'node:process'
import { findLogin } from './logins.ts'
import { openRepository } from './oci.ts'

const { PUSH = '' } = process.env

/** @throws Error that says what the registry answered, and where the login is or was looked for */
async function check(name: string): Promise<void> {
  const { basic, files } = await findLogin(name, process.env)
  try {
    await openRepository(name, basic).mayPush()
  } catch (error) {
    const { message, cause } = error as Error
    const said = cause instanceof Error ? `${name}: ${cause.message}` : message
    const login = basic === undefined ? 'there is no login for it in' : 'its login is in'
    throw new Error(`${said}; ${login} ${files.join(', ')}`)
  }
}

try {
  for (const name of ['latchkey', 'charts/latchkey']) await check(`${PUSH}/${name}`)
} catch (error) {
  process.stderr.write(`scripts/release: ${(error as Error).message}\n`)
  process.exit(1)
}
