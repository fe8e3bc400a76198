// What a terminal is never sent, whatever a command prints.
import t from 'tap'
import { printable } from '../../src/base/printable.ts'
import { commandLine } from '../support/command-line.ts'
import { someAccount } from '../support/stores.ts'

// Controls but the line break, C1 controls, and what turns the writing round.
const RAW = /(?!\n)[\p{Cc}\u200E\u200F\u202A-\u202E\u2066-\u2069]/u

const texts = [
  { name: 'C0', text: 'a\u001B[2J', printed: 'a\\u001b[2J' },
  { name: 'C1', text: '\u009B2J', printed: '\\u009b2J' },
  { name: 'DEL', text: '\u007F', printed: '\\u007f' },
  { name: 'line breaks', text: 'a\nb\rc\u2028d', printed: 'a\\u000ab\\u000dc\\u2028d' },
  { name: 'bidi controls', text: 'a\u202Eb', printed: 'a\\u202eb' },
  { name: 'tags beyond the first plane', text: '\u{E0041}', printed: '\\udb40\\udc41' },
  { name: 'lone surrogates', text: 'a\uD800b', printed: 'a\\ud800b' },
  { name: 'but neither letters', text: 'Zoë 買 🐴 "\\', printed: 'Zoë 買 🐴 "\\' },
  { name: 'nor joiners', text: 'علی\u200Cرضا', printed: 'علی\u200Cرضا' },
]

for (const { name, text, printed } of texts) {
  t.test(`escaped: ${name}`, async t => {
    t.equal(printable(text), printed)
    t.equal(JSON.parse(printable(JSON.stringify(text))), text, 'JSON keeps its value')
  })
}

const EVIL = '\u001B]0;pwned\u0007\u009B2J\u202E\nnext'

t.test('no command sends a control to the terminal', async t => {
  const { latchkey, withStore } = commandLine(t)
  // As an account may be that an earlier release imported, or another program wrote.
  await withStore(store =>
    store.directory.add(
      someAccount('a', { name: EVIL, foldedName: 'ann', scopes: [EVIL], roles: [EVIL] }),
    ),
  )
  const part = (value: unknown) =>
    Buffer.from(JSON.stringify(value)).toString('base64url')
  const token = `${part({ alg: 'ES256', kid: EVIL })}.${part({ sub: EVIL })}.c2ln`
  const lines = [
    'users list',
    'users show ann',
    'users export',
    'users access ann --any-scope',
    `token inspect ${token}`,
    `users show ${EVIL}`,
    `users import /nowhere/${EVIL}`,
    `nonsense${EVIL}`,
    `users list --${EVIL}`,
    `config check --config /nowhere/${EVIL}`,
  ]
  for (const line of lines.flatMap(line => [line, `${line} --json`])) {
    const { out, err } = await latchkey(line)
    t.not(out + err, '', line)
    t.notMatch(out, RAW, line)
    t.notMatch(err, RAW, line)
  }
  const list = await latchkey('users list')
  t.equal(list.out.trim().split('\n').length, 1, 'a line an account, whatever is in it')
  const shown = await latchkey('users show ann --json')
  t.same(shown.records[0]?.['name'], EVIL, 'JSON says what it is')
})
