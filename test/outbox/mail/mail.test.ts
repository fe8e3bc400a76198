// What a mail says: to whom it says a name, in which language, and that nothing which somebody typed is
// markup. And the templates: which are taken, and what is said of one that can't be.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { blockOf } from '../../docs/support/blocks.ts'
import type { Message } from '../../../src/outbox/delivery.ts'
import {
  createMail,
  readSender,
  type MailSettings,
} from '../../../src/outbox/mail/mail.ts'
import type { Mail } from '../../../src/outbox/mail/smtp.ts'
import {
  MAILS,
  openTemplates,
  type MailTemplates,
} from '../../../src/outbox/mail/templates.ts'
import { someMessage } from '../support.ts'

const NOW = Date.UTC(2026, 10, 29, 4, 0, 0)
const LINKS = {
  verification: 'https://app.example.com/verify',
  recovery: 'https://app.example.com/reset',
  invitation: 'https://app.example.com/welcome',
}
const OURS = openTemplates({ locale: 'en' })

/** The mail of a message. */
async function mailOf(
  changes: Partial<Message> = {},
  {
    settings = {},
    templates = OURS,
  }: { settings?: Partial<MailSettings>; templates?: MailTemplates } = {},
): Promise<Mail> {
  const mails: Mail[] = []
  const send = createMail({
    settings: () => ({
      host: 'unused',
      tls: 'starttls',
      timeout: 1000,
      from: 'Shop & Söhne <no-reply@shop.example>',
      links: LINKS,
      ...settings,
    }),
    templates: () => templates,
    post: async (_settings, mail) => {
      mails.push(mail)
    },
    clock: () => NOW,
  })
  await send(someMessage({ locale: 'en', ...changes }), new AbortController().signal)
  const [mail] = mails
  if (mail === undefined) throw new Error('no mail')
  return mail
}

t.test('each mail is there in each language, whole and without a gap', async t => {
  for (const type of MAILS) {
    for (const locale of ['en', 'de']) {
      for (const isKnown of [true, false]) {
        const ticket = type.startsWith('ticket.') ? someMessage().ticket : undefined
        const account = 'https://app.example.com/account'
        const settings = isKnown ? { links: { ...LINKS, account } } : {}
        const unknown = {
          network: undefined,
          ticket: ticket && { ...ticket, code: undefined },
        }
        const { subject, text, html, lang } = await mailOf(
          { type, locale, ticket, isAddressProven: isKnown, ...(isKnown ? {} : unknown) },
          { settings },
        )
        t.equal(lang, locale)
        t.match(subject, 'Shop & Söhne')
        t.notMatch(`${subject}${text}${html}`, /\{\{|\}\}|undefined|: *\n\n\n/)
        t.notMatch(text, /\n{3}/, 'no hole where something is left out')
        t.match(html, 'Shop &#38; Söhne')
        t.equal(text.includes('#tk_canary'), ticket !== undefined)
        t.equal(
          text.includes('12345678'),
          isKnown && ticket !== undefined && type !== 'ticket.invitation',
        )
      }
    }
  }
})

t.test('a name is said to whoever proved the address, and to the invited', async t => {
  for (const [type, isAddressProven, isSaid] of [
    ['ticket.verification', true, false],
    ['ticket.verification', false, false],
    ['ticket.recovery', true, true],
    ['ticket.recovery', false, false],
    ['ticket.invitation', false, true],
    ['notice.password_changed', true, true],
    ['notice.password_changed', false, false],
  ] as const) {
    const typed = 'WIN-1000000-AT-evil.example'
    const ticket = type.startsWith('ticket.') ? someMessage().ticket : undefined
    const about = { type, isAddressProven, name: typed, ticket }
    const { subject, text, html } = await mailOf(about)
    t.equal(text.includes(typed), isSaid, `${type} ${isAddressProven}`)
    t.equal(html.includes(typed), isSaid)
    t.notOk(subject.includes(typed))
  }
})

t.test('what somebody typed is no markup, and begins no line', async t => {
  const name = '<img src=x onerror=alert(1)>"\'&\u2028\r\n\r\nhttps://evil.example/'
  const { text, html } = await mailOf({ name })
  t.notMatch(html, '<img')
  t.match(
    html,
    '&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38; https://evil.example/',
  )
  t.match(text, /^Your name there: <img .*"'& https:\/\/evil\.example\/$/m)
})

t.test('the nearest language, then the default one', async t => {
  for (const [locale, lang] of [
    ['de', 'de'],
    ['de-AT', 'de'],
    ['DE-at-x-y', 'de'],
    ['fr-FR', 'en'],
    ['', 'en'],
    ['../../etc/passwd', 'en'],
    [undefined, 'en'],
  ] as const) {
    t.equal((await mailOf({ locale })).lang, lang, String(locale))
  }
})

t.test('how long a ticket lives is said in words', async t => {
  for (const [ms, en, de] of [
    [30 * 60_000 - 7, '30 minutes', '30 Minuten'],
    [3_600_000, '1 hour', '1 Stunde'],
    [86_400_000, '24 hours', '24 Stunden'],
    [90 * 60_000, '90 minutes', '90 Minuten'],
    [10, '1 minute', '1 Minute'],
  ] as const) {
    const ticket = { ticket: 'tk_canary', expiresAt: NOW + ms }
    t.match((await mailOf({ ticket })).text, ` ${en}.`)
    t.match((await mailOf({ ticket, locale: 'de' })).text, ` ${de}.`)
  }
})

t.test('who it is from', t => {
  t.strictSame(readSender('Shop <a@b.example>'), {
    name: 'Shop',
    address: 'a@b.example',
    product: 'Shop',
  })
  t.strictSame(readSender('a@b.example'), {
    name: '',
    address: 'a@b.example',
    product: 'b.example',
  })
  t.end()
})

t.test('what can not be sent is said, and comes again once it can', async t => {
  await t.rejects(mailOf({ type: 'ticket.recovery' }, { settings: { links: {} } }), {
    message: 'notify.mail.links.recovery is missing',
    isFinal: false,
  })
  for (const nobody of [{ email: undefined }, { type: 'account.created' }] as const) {
    await t.rejects(mailOf(nobody), {
      message: 'there is no address, or no template',
      isFinal: true,
    })
  }
})

const RECOVERY = 'Subject: Hello from {{product}}\n\nGo there: {{link}}\n'

function folderOf(t: Test, files: Readonly<Record<string, string>>): string {
  return t.testdir(files)
}

t.test('templates of the operator take the place of ours, one by one', async t => {
  const folder = folderOf(t, {
    'ticket.recovery.en.txt': RECOVERY.replaceAll('\n', '\r\n'),
    'ticket.recovery.fr.txt':
      `${RECOVERY}{{#code}}\nCode {{ code }}\n{{/code}}\n` +
      '{{#code}}in line{{/code}}{{name}}',
    'ticket.recovery.fr.html':
      '<style>@media x{a{b:c}}</style><p>{{name}}<a href="{{link}}">{{product}}</a>',
    'README.md': 'ours',
    '.hidden': 'x',
  })
  // As Kubernetes mounts them.
  mkdirSync(join(folder, '..data'))
  const templates = openTemplates({ templates: folder, locale: 'en' })
  const en = await mailOf({}, { templates })
  t.equal(en.subject, 'Hello from Shop & Söhne')
  t.equal(en.text, 'Go there: https://app.example.com/reset#tk_canary\n')
  t.match(en.html, '<p>Go there: https://app.example.com/reset#tk_canary</p>')
  const unproven = await mailOf({ locale: 'fr', isAddressProven: false }, { templates })
  t.match(unproven.text, /in line$/, 'what is not known is nothing')
  const fr = await mailOf({ locale: 'fr', name: '<b>' }, { templates })
  t.equal(
    fr.text,
    'Go there: https://app.example.com/reset#tk_canary\nCode 12345678\nin line<b>',
  )
  t.equal(
    fr.html,
    '<style>@media x{a{b:c}}</style><p>&#60;b&#62;' +
      '<a href="https://app.example.com/reset#tk_canary">Shop &#38; Söhne</a>',
  )
  t.equal(
    (await mailOf({ locale: 'de' }, { templates })).lang,
    'de',
    'the others stay ours',
  )
  t.equal(
    (await mailOf({ locale: 'fr', type: 'ticket.invitation' }, { templates })).lang,
    'en',
  )
})

t.test('the template of the documentation is one', async t => {
  const page = blockOf('docs/notifications.md', 'Subject: Set')
  const templates = openTemplates({
    templates: folderOf(t, { 'ticket.recovery.en.txt': page }),
    locale: 'en',
  })
  const { subject, text } = await mailOf({ name: 'Ann' }, { templates })
  t.equal(subject, 'Set a new password for Shop & Söhne')
  t.equal(
    text,
    [
      'Hello Ann,\n',
      'set a new password: https://app.example.com/reset#tk_canary\n',
      'Or type 12345678.\n',
      'This works once, for 30 minutes.\n',
    ].join('\n'),
  )
})

t.test('what is wrong with a template is said with its file and line', t => {
  const txt = 'ticket.recovery.en.txt'
  const html = 'ticket.recovery.en.html'
  const rows: ReadonlyArray<readonly [Readonly<Record<string, string>>, RegExp]> = [
    [{ [txt]: 'Hello' }, /ticket\.recovery\.en\.txt, line 1: Subject:/],
    [{ [txt]: 'Subject: x\nno empty line {{link}}' }, /line 1: Subject:/],
    [{ [txt]: 'Subject: x\n\n' }, /line 1: \{\{link\}\} somewhere/],
    [
      { [txt]: `${RECOVERY}\n\n{{nam}}` },
      /line 6: no such placeholder: nam \(known here: .*name/,
    ],
    [{ [txt]: `${RECOVERY}{{__proto__}}` }, /line 4: no such placeholder/],
    [{ [txt]: `${RECOVERY}{{#code}}\n{{code}}` }, /line 4: \{\{#code\}\} has no end/],
    [{ [txt]: `${RECOVERY}{{/code}}\n` }, /line 4: \{\{\/code\}\} ends nothing/],
    [{ [txt]: `${RECOVERY}{{#code}}x{{/name}}` }, /line 4: \{\{\/name\}\} ends nothing/],
    [{ [txt]: `${RECOVERY}\n{{ name` }, /line 5: \{\{ begins no placeholder/],
    [{ [txt]: RECOVERY.replace('product', 'name') }, /line 1: no such placeholder: name/],
    [
      { [txt]: RECOVERY, [html]: '<p>\n<p>{{no}}' },
      /en\.html, line 2: no such placeholder/,
    ],
    [{ [txt]: RECOVERY, [html]: '<p>' }, /en\.html, line 1: \{\{link\}\} somewhere/],
    [
      { [html]: '<p>{{link}}' },
      /en\.html, line 1: the text of it, too: ticket\.recovery\.en\.txt/,
    ],
    [
      { 'ticket.recovry.en.txt': RECOVERY },
      /ticket\.recovry\.en\.txt, line 1: a file named TYPE/,
    ],
    [{ 'ticket.recovery.txt': RECOVERY }, /line 1: a file named TYPE/],
    [{ 'account.created.en.txt': RECOVERY }, /line 1: a file named TYPE/],
    [{ 'ticket.recovery.en-1.txt': RECOVERY }, /line 1: a language such as en or pt-BR/],
    [
      { 'ticket.verification.en.txt': `${RECOVERY}{{name}}` },
      /verification\.en\.txt, line 4: no such placeholder: name/,
    ],
  ]
  for (const [files, message] of rows) {
    const templates = folderOf(t, files)
    t.throws(
      () => openTemplates({ templates, locale: 'en' }),
      { message },
      String(message),
    )
  }
  t.throws(() => openTemplates({ locale: 'fr' }), {
    message:
      /ticket\.verification\.fr\.txt, line 1: to be there, as notify\.mail\.locale is fr/,
  })
  const folder = folderOf(t, {})
  t.throws(() => openTemplates({ templates: join(folder, 'no'), locale: 'fr' }), /ENOENT/)
  for (const type of MAILS) {
    writeFileSync(
      join(folder, `${type}.fr.txt`),
      RECOVERY.replace(/\{\{link\}\}/, type.startsWith('ticket') ? '{{link}}' : ''),
    )
  }
  t.ok(openTemplates({ templates: folder, locale: 'fr' }), 'a language that is whole')
  t.end()
})
