// The session of this browser: signing up, logging in and out, and a token for whoever is called.
//
// The refresh token lies in IndexedDB, where every tab of this browser finds it. It counts once, so that only
// the tab that holds the lock may use it (Web Locks). Not in localStorage: a tab may read there what another
// has just replaced. Access tokens stay in memory.
const { indexedDB } = window
const REFRESH_TOKEN = 'refresh-token'
const LOCK = 'notes.session'
const otherTabs = new BroadcastChannel('notes.session')
const accessTokens = new Map()
let database

// Nobody waits for it here: forms work, or say why not, from the first moment.
const settings = fetch('/settings.json').then(answer => answer.json())
// Whoever needs it is told when it failed.
settings.catch(() => {})

/** The session has ended: somebody logged out, here or elsewhere, or it grew too old. */
export class LoggedOut extends Error {}

export async function isLoggedIn() {
  return (await keptToken()) !== undefined
}

/** Calls `listener` when another tab has logged in or out. */
export function onOtherTab(listener) {
  otherTabs.addEventListener('message', () => {
    accessTokens.clear()
    listener()
  })
}

/** Adds an account. Whether the name was free isn't said: the login that follows shows it. */
export async function signUp(name, password) {
  const { issuer } = await settings
  const body = { name, password, attributes: { nickname: name } }
  await read(await fetch(`${issuer}/account`, asJson('POST', body)))
}

export async function logIn(username, password) {
  const device = /Mobi/.test(navigator.userAgent) ? 'A phone' : 'A computer'
  // The access token that comes along is for the API and for Latchkey: it is dropped, nobody is sent it.
  await navigator.locks.request(LOCK, () =>
    askForTokens({ grant_type: 'password', username, password, device_name: device }),
  )
  otherTabs.postMessage('logged in')
}

/** Ends the session of this browser. */
export async function logOut() {
  const { issuer, client } = await settings
  await navigator.locks.request(LOCK, async () => {
    const token = await keptToken()
    if (token === undefined) return
    await forget()
    const body = new URLSearchParams({ client_id: client, token })
    await read(await fetch(`${issuer}/revoke`, { method: 'POST', body }))
  })
}

/** Ends every session of the user; other devices notice it in seconds, at what they ask next. */
export async function logOutEverywhere() {
  await callLatchkey('/account/sessions', { method: 'DELETE' })
  await logOut()
}

/** Calls the API; gives its answer, or throws what it refuses in its own words. */
export async function callApi(path, options) {
  const { audience } = await settings
  return call(path, audience, options)
}

/** Calls Latchkey's own API, with a token that is for nobody else. */
export async function callLatchkey(path, options) {
  const { issuer } = await settings
  return call(`${issuer}${path}`, issuer, options)
}

async function call(url, audience, { method = 'GET', body } = {}) {
  const send = async () => {
    const request = asJson(method, body)
    request.headers.authorization = `Bearer ${await tokenFor(audience)}`
    return fetch(url, request)
  }
  let answer = await send()
  if (answer.status === 401) {
    // Revoked before its time: the session may have ended, which the refresh tells.
    accessTokens.delete(audience)
    answer = await send()
  }
  return read(answer)
}

async function tokenFor(audience) {
  return (
    heldFor(audience) ??
    navigator.locks.request(LOCK, async () => {
      // Whoever had the lock before may have brought it.
      const held = heldFor(audience)
      if (held !== undefined) return held
      return refresh(audience)
    })
  )
}

function heldFor(audience) {
  const { token, goodUntil = 0 } = accessTokens.get(audience) ?? {}
  return performance.now() < goodUntil ? token : undefined
}

async function refresh(audience) {
  const refreshToken = await keptToken()
  if (refreshToken === undefined) throw new LoggedOut()
  const askedAt = performance.now()
  const tokens = await askForTokens({
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    resource: audience,
  })
  const goodUntil = askedAt + (tokens.expires_in - 30) * 1000
  accessTokens.set(audience, { token: tokens.access_token, goodUntil })
  return tokens.access_token
}

/** Only with the lock: what comes back replaces the refresh token. */
async function askForTokens(parameters) {
  const { issuer, client } = await settings
  const body = new URLSearchParams({ client_id: client, ...parameters })
  const answer = await fetch(`${issuer}/token`, { method: 'POST', body })
  const { refresh_token: wasUsed } = parameters
  // Anything else, as a Latchkey that is away, says nothing of the session.
  if (wasUsed !== undefined && answer.status === 400) {
    await forget()
    throw new LoggedOut()
  }
  const tokens = await read(answer)
  await inStore('readwrite', store => store.put(tokens.refresh_token, REFRESH_TOKEN))
  return tokens
}

async function forget() {
  accessTokens.clear()
  await inStore('readwrite', store => store.delete(REFRESH_TOKEN))
  otherTabs.postMessage('logged out')
}

const keptToken = () => inStore('readonly', store => store.get(REFRESH_TOKEN))

/** Does one thing in the store; when this is over, every tab sees it. */
async function inStore(mode, work) {
  database ??= openDatabase()
  const transaction = (await database).transaction('session', mode)
  const request = work(transaction.objectStore('session'))
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result)
    transaction.onabort = () => reject(transaction.error)
  })
}

function openDatabase() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('notes', 1)
    opening.onupgradeneeded = () => opening.result.createObjectStore('session')
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error)
  })
}

function asJson(method, body) {
  if (body === undefined) return { method, headers: {} }
  const headers = { 'content-type': 'application/json' }
  return { method, headers, body: JSON.stringify(body) }
}

async function read(answer) {
  const text = await answer.text()
  let content
  try {
    content = text === '' ? undefined : JSON.parse(text)
  } catch {
    throw new Error(`an answer that can't be read (${answer.status})`)
  }
  if (answer.ok) return content
  const words = content?.error_description ?? content?.detail
  throw new Error(typeof words === 'string' ? words : `refused (${answer.status})`)
}
