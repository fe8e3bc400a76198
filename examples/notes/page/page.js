// The page: it draws, and asks session.js for everything else.
import {
  callApi,
  callLatchkey,
  isLoggedIn,
  LoggedOut,
  logIn,
  logOut,
  logOutEverywhere,
  onOtherTab,
  signUp,
} from './session.js'

const REDRAW_MS = 3000
const drawn = new Map()
const find = id => document.getElementById(id)

function say(text) {
  find('notice').textContent = text
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

const noteItem = note => itemOf(note, counted(note))
const authoredItem = note => itemOf(note, `${note.author}, ${counted(note)}`)

function counted({ words }) {
  if (words === null) return 'not counted yet'
  return words === 1 ? '1 word' : `${words} words`
}

function itemOf({ id, text }, about) {
  const remove = element('button', { type: 'button', textContent: 'Remove' })
  remove.addEventListener('click', () =>
    act(() => callApi(`/notes/${id}`, { method: 'DELETE' })),
  )
  // What somebody wrote is text, never HTML.
  const written = element('p', { className: 'text', textContent: text })
  const below = element('small', { textContent: about })
  return element('li', {}, element('div', {}, written, below), remove)
}

function sessionItem({ device, network, current }) {
  const here = current ? ' (this one)' : ''
  return element('li', { textContent: `${device}, ${network}${here}` })
}

const ITEMS = {
  notes: noteItem,
  'notes-of-everybody': authoredItem,
  sessions: sessionItem,
}

/** Draws a list anew only where it has changed: nobody loses the button that they are about to press. */
function draw(id, things) {
  const text = JSON.stringify(things)
  if (drawn.get(id) === text) return
  drawn.set(id, text)
  find(id).replaceChildren(...things.map(ITEMS[id]))
}

/** Shows what there is now; nothing of a user stays on the page of a guest. */
async function redraw() {
  if (!(await isLoggedIn())) return drawGuest()
  const [me, notes] = await Promise.all([callApi('/me'), callApi('/notes')])
  const all = me.admin ? await callApi('/everybody/notes') : []
  // Somebody may have logged out meanwhile.
  if (!(await isLoggedIn())) return drawGuest()
  find('who').textContent = me.admin ? `${me.nickname} (admin)` : me.nickname
  draw('notes', notes)
  draw('notes-of-everybody', all)
  find('everybody').hidden = !me.admin
  showOne('member')
}

function drawGuest() {
  for (const id of Object.keys(ITEMS)) draw(id, [])
  find('who').textContent = ''
  showOne('guest')
}

function showOne(id) {
  for (const each of ['guest', 'member']) find(each).hidden = each !== id
  find('who').hidden = id !== 'member'
}

/** Asked for less often: it is Latchkey's, and changes only when somebody logs in or out. */
async function drawSessions() {
  if (!(await isLoggedIn())) return
  const { sessions } = await callLatchkey('/account/sessions')
  draw('sessions', sessions)
}

/** Does something, shows what has changed, and says what went wrong. */
async function act(doIt, done = '') {
  say('')
  try {
    await doIt()
    await redraw()
    await drawSessions()
    say(done)
  } catch (error) {
    await complain(error)
  }
}

async function complain(error) {
  if (!(await isLoggedIn())) drawGuest()
  say(error instanceof LoggedOut ? 'You are logged out.' : `Not done: ${error.message}`)
}

function onSubmit(id, doIt, done) {
  find(id).addEventListener('submit', event => {
    event.preventDefault()
    const form = event.currentTarget
    const values = Object.fromEntries(new FormData(form))
    act(async () => {
      await doIt(values)
      form.reset()
    }, done)
  })
}

onSubmit('log-in', ({ name, password }) => logIn(name, password))
onSubmit('sign-up', async ({ name, password }) => {
  await signUp(name, password)
  await logIn(name, password).catch(() => {
    throw new Error('the name is taken, or the login has to wait: try to log in')
  })
})
onSubmit('add', ({ text }) => callApi('/notes', { method: 'POST', body: { text } }))
find('log-out').addEventListener('click', () => act(logOut, 'You are logged out.'))
find('log-out-everywhere').addEventListener('click', () =>
  act(logOutEverywhere, 'You are logged out everywhere.'),
)
onOtherTab(() => act(() => {}))

// What the worker counts, and what others write, comes by itself while somebody looks.
let failed = false
setInterval(async () => {
  if (document.hidden) return
  try {
    if (!(await isLoggedIn())) return
    await redraw()
    if (failed) say('')
    failed = false
  } catch (error) {
    failed = true
    await complain(error)
  }
}, REDRAW_MS)
act(() => {})
