// Calls a server by the types that openapi-typescript made of its document; tsc checks it, then it is run.
import process from 'node:process'
import createClient from 'openapi-fetch'

/** @typedef {import('./latchkey.ts').paths} Paths */
/** @typedef {import('./latchkey.ts').components['schemas']} Schemas */

const { ISSUER = '', PASSWORD = '', AUDIENCE = '', SECRET = '' } = process.env
/** @type {import('openapi-fetch').Client<Paths>} */
const client = createClient({ baseUrl: ISSUER, bodySerializer: form })
const headers = { 'content-type': 'application/x-www-form-urlencoded' }

/** @param {unknown} body */
function form(body) {
  return new URLSearchParams(
    Object.entries(Object(body)).flatMap(([name, value]) =>
      [value].flat().map(text => [name, text]),
    ),
  )
}

/** @param {string} password */
function logIn(password) {
  return client.POST('/token', {
    headers,
    body: {
      grant_type: 'password',
      client_id: 'mobile',
      username: 'alice',
      password,
      resource: [AUDIENCE],
    },
  })
}

const { data: tokens } = await logIn(PASSWORD)
const { error } = await logIn('wrong')
/** @type {Schemas['OAuthError'] | undefined} */
const refused = error
const { data: found } = await client.POST('/introspect', {
  headers,
  body: {
    token: tokens?.access_token ?? '',
    client_id: 'orders-api',
    client_secret: SECRET,
  },
})
const isActive = typeof found === 'object' && found.active
console.log(JSON.stringify([tokens?.token_type, refused?.error, isActive]))
