// The page of self-service: it draws forms and calls Latchkey, and keeps nothing. The token lives in memory,
// as long as the page is open.
const find = id => document.getElementById(id)
let token

// A link of a mail: the ticket stands in the fragment. It leaves the address bar at once, and only a press on
// the button uses it up.
const ticket = window.location.hash.slice(1)
if (ticket !== '') {
  window.history.replaceState(null, '', window.location.pathname)
  show(window.location.pathname === '/reset' ? ['reset'] : ['verify'])
}

// Nobody waits for it here: forms work, or say why not, from the first moment.
const settings = fetch('/settings.json').then(answer => answer.json())

function show(ids) {
  for (const part of document.querySelectorAll('main > form, main > section')) {
    part.hidden = !ids.includes(part.id)
  }
}

function say(text) {
  find('notice').textContent = text
}

/** Calls Latchkey; throws what it refuses, in its own words. */
async function call(method, path, body) {
  const { issuer } = await settings
  const answer = await fetch(`${issuer}${path}`, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return accept(answer)
}

async function accept(answer) {
  const text = await answer.text()
  const content = text === '' ? undefined : JSON.parse(text)
  if (!answer.ok) throw new Error(content?.error_description ?? `${answer.status}`)
  return content
}

async function logIn({ username, password, device }) {
  const { issuer, client } = await settings
  const parameters = {
    grant_type: 'password',
    client_id: client,
    resource: issuer,
    username,
    password,
    device_name: device,
  }
  const body = new URLSearchParams(parameters)
  token = (await accept(await fetch(`${issuer}/token`, { method: 'POST', body })))
    .access_token
  await showAccount()
}

async function showAccount() {
  const { name } = await call('GET', '/account')
  find('who').textContent = name
  await showSessions()
  show(['account'])
}

async function showSessions() {
  const { sessions } = await call('GET', '/account/sessions')
  const items = sessions.map(({ device, network, current }) => {
    const item = document.createElement('li')
    item.textContent = `${device}, ${network}${current ? ' (this one)' : ''}`
    return item
  })
  find('sessions').replaceChildren(...items)
}

function logOut() {
  token = undefined
  show(['log-in', 'sign-up', 'recover'])
}

/** Saves what is kept of the user as a file. */
async function saveExport() {
  const text = JSON.stringify(await call('GET', '/account'), null, 2)
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  link.download = 'account.json'
  link.click()
  URL.revokeObjectURL(link.href)
}

/** What each form and each button does, and what the page says when it is done. */
const ACTIONS = {
  'log-in': { act: logIn, done: 'You are logged in.' },
  'sign-up': {
    act: ({ name, email, password }) =>
      call('POST', '/account', { name, password, attributes: { email } }),
    done: 'Look into your mail: a link of it verifies the address.',
  },
  recover: {
    act: ({ name }) => call('POST', '/account/recovery', { name }),
    done: 'Look into your mail: if there is such an account, a link is on its way.',
  },
  verify: {
    async act() {
      await call('POST', '/account/verification', { ticket })
      logOut()
    },
    done: 'The address is verified: log in.',
  },
  reset: {
    async act({ password }) {
      await call('POST', '/account/recovery/completion', { ticket, password })
      logOut()
    },
    done: 'The new password is set, and every device is logged out: log in.',
  },
  'end-others': {
    async act() {
      await call('DELETE', '/account/sessions')
      await showSessions()
    },
    done: 'The other devices are logged out.',
  },
  'change-password': {
    async act({ current, password }) {
      await call('PUT', '/account/password', { current_password: current, password })
      await showSessions()
    },
    done: 'The password is changed, and every other device is logged out.',
  },
  export: { act: saveExport, done: 'The file is saved.' },
  delete: {
    async act({ current }) {
      await call('DELETE', '/account', { current_password: current })
      logOut()
    },
    done: 'The account is deleted.',
  },
}

for (const [id, { act, done }] of Object.entries(ACTIONS)) {
  const part = find(id)
  part.addEventListener(
    part instanceof window.HTMLFormElement ? 'submit' : 'click',
    async event => {
      event.preventDefault()
      say('')
      const values =
        part instanceof window.HTMLFormElement
          ? Object.fromEntries(new FormData(part))
          : {}
      try {
        await act(values)
        if (part instanceof window.HTMLFormElement) part.reset()
        say(done)
      } catch (error) {
        say(`Not done: ${error.message}`)
      }
    },
  )
}
