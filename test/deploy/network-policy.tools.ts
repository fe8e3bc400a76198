// The NetworkPolicy lets the pods reach what the configuration names, each at its port, and nothing else;
// what the chart can't know, its notes ask for.
/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { CHART } from './support/chart.ts'
import { run } from './support/commands.ts'

type Values = Readonly<Record<string, unknown>>

const ISSUER = 'https://id.example.com'
const TO = [{ ipBlock: { cidr: '192.0.2.25/32' } }]
const BASE = {
  store: { url: 'redis://redis:6379/0' },
  secret: { existingSecret: 'latchkey-secrets' },
}

async function render(chart: string, { config, ...values }: Values): Promise<any[]> {
  const input = JSON.stringify({
    ...BASE,
    config: { issuer: ISSUER, ...Object(config) },
    ...values,
  })
  const { code, stdout, stderr } = await run(
    'helm',
    [
      ...['template', 'release', chart, '--namespace', 'id', '--kube-version', '1.37.0'],
      ...['--values', '-'],
    ],
    { input },
  )
  if (code !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout)
    .map(document => document.toJS())
    .filter(object => object !== null)
}

/** The rules behind that for DNS. */
async function egressOf(values: Values): Promise<any[]> {
  const policies = (await render(CHART, values)).filter(
    ({ kind, metadata }) =>
      kind === 'NetworkPolicy' && metadata.name === 'release-latchkey',
  )
  const [dns, ...others] = policies[0].spec.egress
  t.match(dns, { ports: [{ port: 53 }, { port: 53 }] })
  return others
}

const ports = (...numbers: readonly number[]) =>
  numbers.map(port => ({ port, protocol: 'TCP' }))

t.test("Redis and its sentinels are reached at the URL's ports", async t => {
  for (const [url, ...expected] of [
    ['redis://redis/0', 6379],
    ['redis://redis:6380/0', 6380],
    ['rediss://latchkey:12345,67@redis:6380', 6380],
    ['redis://:${REDIS_PASSWORD}@redis:6380/0', 6380],
    ['redis://[fd00::1]/0', 6379],
    ['redis://[fd00::1]:6381/0', 6381],
    ['redis+cluster://a:7000,b:7001,c', 7000, 7001, 6379],
    ['redis+sentinel://a:26379,b:26379/mymaster', 26379, 6379],
    ['redis+sentinel://a,b:5000/mymaster?db=1', 26379, 5000, 6379],
    ['redis://${REDIS_HOST}/0', 6379],
  ] as const) {
    t.same(await egressOf({ store: { url } }), [{ ports: ports(...expected) }], url)
  }
  t.same(
    await egressOf({ store: { url: 'redis://redis' }, networkPolicy: { storeTo: TO } }),
    [{ ports: ports(6379), to: TO }],
  )
})

t.test('where the URL is in an existing Secret, a value says its ports', async t => {
  const store = { url: '', existingSecret: 'redis' }
  const storePorts = [6380, 26380]
  t.same(await egressOf({ store }), [{ ports: ports(6379) }])
  t.same(await egressOf({ store, networkPolicy: { storePorts } }), [
    { ports: ports(6380, 26380) },
  ])
  t.same(
    await egressOf({
      store: { url: 'redis+sentinel://a:26380/m' },
      networkPolicy: { storePorts: [6390] },
    }),
    [{ ports: ports(26380, 6390) }],
    "the sentinels' are known, those of Redis are said",
  )
  t.same(await egressOf({ networkPolicy: { storePorts: [7000] } }), [
    { ports: ports(7000) },
  ])
})

const MAIL = { from: 'a@b.example', host: 'smtp.example.com' }
const webhook = (url: string) => ({ notify: { webhook: { url, secrets: [SIGNING] } } })
const SIGNING = `whsec_${'A'.repeat(43)}=`
const directory = (type: string, url: string, more: Values = {}) => ({
  directories: [{ name: 'staff', type, url, ...more }],
})
const client = (id: string, jwksUri: string) => ({ id, jwksUri })

/** A configuration, whose peers the values name, and the ports that it needs, rule by rule. */
const NEEDS: readonly (readonly [
  config: Values,
  peers: string | undefined,
  needed: readonly number[],
])[] = [
  [{ notify: { mail: MAIL } }, 'mailTo', [587]],
  [{ notify: { mail: { ...MAIL, tls: 'implicit' } } }, 'mailTo', [465]],
  [{ notify: { mail: { ...MAIL, tls: 'none' } } }, 'mailTo', [25]],
  [{ notify: { mail: { ...MAIL, port: 2525 } } }, 'mailTo', [2525]],
  [webhook('https://app.example.com/hooks'), 'webhookTo', [443]],
  [webhook('https://app.example.com:8443/hooks'), 'webhookTo', [8443]],
  [webhook('http://localhost/hooks'), 'webhookTo', [80]],
  [webhook('${WEBHOOK_URL}'), 'webhookTo', [443]],
  [{ clients: [client('a', 'https://a.example.com/jwks')] }, 'jwksTo', [443]],
  [
    {
      clients: [
        client('a', 'https://a.example.com/jwks'),
        client('b', 'https://b.example.com:8443/jwks'),
        client('c', 'https://c.example.com/jwks?a=:99'),
        { id: 'd' },
      ],
    },
    'jwksTo',
    [443, 8443],
  ],
  [directory('ldap', 'ldaps://ldap.example.com'), 'directoriesTo', [636]],
  [directory('ldap', 'ldap://ldap.example.com'), 'directoriesTo', [389]],
  [directory('ldap', 'ldaps://ldap.example.com:1636'), 'directoriesTo', [1636]],
  [directory('http', 'https://app.example.com/login'), 'directoriesTo', [443]],
  [
    directory('http', 'https://app.example.com/login', {
      lookupUrl: 'https://app.example.com:8443/lookup',
    }),
    'directoriesTo',
    [443, 8443],
  ],
  [directory('sql', 'postgres://u@db.example.com/app'), 'directoriesTo', [5432]],
  [directory('sql', 'postgresql://u:${DB}@db.example.com/app'), 'directoriesTo', [5432]],
  [directory('sql', 'mysql://u@db.example.com/app'), 'directoriesTo', [3306]],
  [directory('sql', 'mariadb://u@db.example.com/app'), 'directoriesTo', [3306]],
  [
    directory('sql', 'postgres://u:${DB}@db.example.com:6432/app'),
    'directoriesTo',
    [6432],
  ],
  [
    { store: { accounts: { url: 'postgres://u@db.example.com/d' } } },
    'directoriesTo',
    [5432],
  ],
  [
    { store: { accounts: { url: 'postgres://u:${DB}@db.example.com:6432/d' } } },
    'directoriesTo',
    [6432],
  ],
  // A URL that can't be read is taken to have its kind's usual port.
  [{ store: { accounts: { url: '${ACCOUNTS_URL}' } } }, 'directoriesTo', [5432]],
  [directory('sql', '${DIRECTORY_URL}'), 'directoriesTo', [5432]],
  [directory('ldap', '${DIRECTORY_URL}'), 'directoriesTo', [636]],
  [directory('http', '${DIRECTORY_URL}'), 'directoriesTo', [443]],
  [directory('ldap', 'ldap://${LDAP_HOST}'), 'directoriesTo', [389]],
]

t.test('each way out of the configuration is open at its port, and no other', async t => {
  const [store] = await egressOf({})
  for (const [config, peers = '', needed] of NEEDS) {
    const what = JSON.stringify(config)
    t.same(
      await egressOf({ config, networkPolicy: { [peers]: TO } }),
      [store, ...needed.map(port => ({ ports: ports(port), to: TO }))],
      what,
    )
  }
  const all = {
    notify: { mail: MAIL, ...webhook('https://app.example.com/hooks').notify },
    clients: [client('a', 'https://a.example.com/jwks')],
  }
  const more = { ports: ports(8200) }
  t.same(await egressOf({ config: all, networkPolicy: { extraEgress: [more] } }), [
    store,
    { ports: ports(587) },
    { ports: ports(443) },
    more,
  ])
})

/** What the notes say, by values. */
async function notesIn(t: Test): Promise<(values: Values) => Promise<string>> {
  // helm prints notes only where a cluster answers: here they are an object's text.
  const chart = join(t.testdir(), 'latchkey')
  await cp(CHART, chart, { recursive: true })
  const notes = await readFile(join(chart, 'templates/NOTES.txt'), 'utf8')
  await rm(join(chart, 'templates/NOTES.txt'))
  await writeFile(
    join(chart, 'templates/notes.yaml'),
    [
      'kind: Notes',
      'metadata: { name: notes }',
      'text: {{ include "notes" . | quote }}',
      `{{- define "notes" }}${notes}{{ end }}`,
    ].join('\n'),
  )
  return async values =>
    (await render(chart, values)).find(({ kind }) => kind === 'Notes').text
}

t.test('the notes say which value the NetworkPolicy waits for', async t => {
  const notesOf = await notesIn(t)
  const asks =
    /lets the pods reach port\s6379 of Redis and no other.*set\snetworkPolicy\.storePorts/s
  const store = { url: '', existingSecret: 'redis' }
  t.match(await notesOf({ store }), asks)
  t.match(await notesOf({ store: { url: 'redis://${REDIS_HOST}/0' } }), asks)
  for (const known of [
    { store, networkPolicy: { storePorts: [6379] } },
    { store, networkPolicy: { enabled: false } },
    { store: { url: 'redis://:${REDIS_PASSWORD}@redis/0' } },
    {},
  ]) {
    t.notMatch(await notesOf(known), 'storePorts', JSON.stringify(known))
  }
  const config = {
    ...webhook('${WEBHOOK_URL}'),
    store: { accounts: { url: '${ACCOUNTS_URL}' } },
    directories: [
      { name: 'a', type: 'ldap', url: 'ldap://${LDAP_HOST}' },
      { name: 'b', type: 'http', url: 'https://a.example', lookupUrl: '${LOOKUP_URL}' },
      { name: 'c', type: 'sql', url: 'postgres://u:${DB}@db.example.com/d' },
    ],
  }
  const guessed = await notesOf({ store, config })
  const listed = /another port, open it by networkPolicy\.extraEgress:\n((?: {2}.*\n)+)/
  t.equal(
    listed.exec(guessed)?.[1],
    [
      '  config.notify.webhook.url: 443\n',
      '  config.store.accounts.url: 5432\n',
      '  config.directories[0].url: 389\n',
      '  config.directories[1].lookupUrl: 443\n',
    ].join(''),
  )
  t.notMatch(await notesOf({ config, networkPolicy: { enabled: false } }), listed)
  t.notMatch(await notesOf({ store }), listed)
  for (const line of guessed.split('\n')) t.ok(line.length <= 110, line)
})

t.test('helm test is offered where it can pass', async t => {
  const mine = { configFrom: { secret: 'mine' }, config: { issuer: '' } }
  const notesOf = await notesIn(t)
  const isWaiting = /name a client of that file with both grants/
  t.match(await notesOf(mine), isWaiting)
  for (const values of [{}, { ...mine, test: { clientId: 'web' } }]) {
    t.notMatch(await notesOf(values), isWaiting)
    t.match(await notesOf(values), /See the whole way work/)
  }
  t.notMatch(await notesOf({ ...mine, test: { enabled: false } }), isWaiting)
})
