// A real Chromium without a window, and what a person does on a Swagger UI page.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import { PATIENCE_MS } from './until.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
// Nothing of the browser's own may try to reach the outside.
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * Starts the Chromium of the PATH; throws when there is none: a page that wasn't opened must not look tested.
 */
export async function startBrowser(): Promise<Browser> {
  const candidates = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap(folder => NAMES.map(name => join(folder, name)))
  const executablePath = candidates.find(isExecutable)
  if (executablePath === undefined) {
    throw new Error('Chromium is not on the PATH: install it (apt-get install chromium)')
  }
  const browser = await chromium.launch({
    executablePath,
    args: ARGS,
    timeout: PATIENCE_MS,
  })
  // A page on a busy machine takes longer than the half minute that it has by default.
  browser.on('context', context => context.setDefaultTimeout(PATIENCE_MS))
  return browser
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What a page complained about: scripts that failed, and whatever its policy (CSP, CORS) refused. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('pageerror', error => {
    complaints.push(error.message)
  })
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return complaints
}

/** Who logs in on the page. */
export interface SwaggerLogin {
  readonly username: string
  readonly password: string
  /** Left out: the page knows it already. */
  readonly clientId?: string
  readonly credentials?: 'Authorization header' | 'Request body'
}

/** Presses Authorize, fills in the form of the password flow and waits for the page's verdict. */
export async function authorize(
  page: Page,
  { username, password, clientId, credentials }: SwaggerLogin,
): Promise<string> {
  await page.click('.auth-wrapper .authorize')
  const form = page.locator('.auth-container', { hasText: 'OAuth2, password' })
  await form.locator('#oauth_username').fill(username)
  await form.locator('#oauth_password').fill(password)
  if (credentials !== undefined) {
    await form.locator('#password_type').selectOption({ label: credentials })
  }
  if (clientId !== undefined) await form.locator('#client_id_password').fill(clientId)
  await form.locator('button.authorize').click()
  const verdict = form.locator('h6:text-is("Authorized"), .errors')
  await verdict.first().waitFor()
  const text = await verdict.first().innerText()
  await form.locator('.btn-done').click()
  return text
}

/** Opens an operation by its id, fills in the form, executes it, and gives the status that the page shows. */
export async function tryOut(
  page: Page,
  operation: string,
  filled: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: string }> {
  const block = page.locator(`.opblock[id$="${operation}"]`)
  await block.locator('.opblock-summary-control').click()
  await block.locator('.try-out__btn').click()
  for (const [name, text] of Object.entries(filled)) {
    await block.locator(`input[placeholder="${name}"]`).fill(text)
  }
  await block.locator('.execute').click()
  const response = block.locator('.live-responses-table .response')
  await response.waitFor()
  const status = await response.locator('.response-col_status').innerText()
  return {
    status: Number.parseInt(status),
    body: await response.locator('.highlight-code').first().innerText(),
  }
}
