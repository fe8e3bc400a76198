/* eslint no-template-curly-in-string: "off" -- the configuration writes its variables so */
import t from 'tap'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { formatDuration, parseDuration } from '../../src/config/values/duration.ts'
import { expectedAt, expectedKeyAt, keysAt } from '../../src/config/values/expected.ts'
import { ConfigError } from '../../src/config/faults.ts'
import { keyPolicy } from '../../src/config/key-policy.ts'
import { decodeConfig, loadConfig, parseConfig } from '../../src/config/load.ts'
import { deriveKeys } from '../../src/base/secrets.ts'
import { pageText, schemaText, valuesText } from '../../scripts/config-schema.ts'

const SECRET = 'x'.repeat(43)
const OTHER_SECRET = 'y'.repeat(43)
const HASH = `sha256:${'h'.repeat(43)}`
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PUBLIC = publicKey.export({ format: 'jwk' })
const PRIVATE = JSON.stringify(privateKey.export({ format: 'jwk' }))
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({
  format: 'jwk',
})
const RSA_1024 = `z${'A'.repeat(169)}Q`
const HALF_PRIVATE = (members: string) =>
  `a public key (JWK); this one holds ${members} of its private half: take a new pair, as this one is ` +
  'known to whoever reads the file'
const ENV = { SECRET, EMPTY: '' }
const MINIMAL = {
  issuer: 'https://id.example.com',
  store: { url: 'sqlite:x.db' },
  secrets: [SECRET],
}
const HEAD =
  'issuer: https://id.example.com\nstore: { url: "sqlite:x.db" }\nsecrets: ["${SECRET}"]\n'

/** The faults of HEAD and `rest`, one line each. */
function faultsOf(
  rest: string,
  head = HEAD,
  env: Record<string, string> = ENV,
): string[] {
  try {
    parseConfig(head + rest, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

t.test('each algorithm that an audience or a client needs gets keys, once', async t => {
  const config = parseConfig(
    HEAD +
      'audiences: { a: { algorithm: RS256 }, b: {} }\nclients: [{ id: a, idTokenAlgorithm: RS256 }, ' +
      '{ id: b, idTokenAlgorithm: Ed25519 }, { id: c }]',
    ENV,
  )
  t.same(keyPolicy(config).audienceAlgorithms, ['EdDSA', 'RS256'])
})

t.test(
  'client secrets that a person made up are refused, by the name of the client',
  async t => {
    const hashOf = (secret: string) =>
      `sha256:${createHash('sha256').update(secret).digest('base64url')}`
    const faultsWith = (secret: string, id = 'orders-api') =>
      faultsOf(
        `clients: [{ id: web, secrets: ["${HASH}"] }, { id: ${JSON.stringify(id)}, secrets: ["${secret}"] }]`,
      )
    for (const secret of ['hunter2', 'x'.repeat(43), 'sha256:short', 'SHA256:x', '']) {
      t.strictSame(faultsWith(secret), [
        'clients[1].secrets[0]: expected the sha256: line that `latchkey clients secret` prints beside a ' +
          'new secret, for the client orders-api',
      ])
    }
    for (const id of ['', 'ä', 'x'.repeat(65)]) {
      t.match(faultsWith('plain', id), [/clients\[1\]\.id/, /beside a new secret$/], id)
    }
    for (const guess of [
      '',
      'secret',
      'changeme',
      'orders-api',
      'orders-api-secret',
      'orders-api_secret',
      'secretorders-api',
      'orders-api123',
    ]) {
      t.strictSame(
        faultsWith(hashOf(guess)),
        [
          'clients[1].secrets[0]: expected a secret of the client orders-api that nobody guesses: ' +
            'this hash is that of a common one (`latchkey clients secret` makes a secret and its line)',
        ],
        guess,
      )
    }
    t.strictSame(
      faultsWith(hashOf('web-secret')),
      [],
      'that of another client is none of its own',
    )
  },
)

t.test('a small file gets its defaults, durations become milliseconds', async t => {
  const config = parseConfig(
    `${HEAD}tokens: { accessTtl: 5m }\nclients: [{ id: a, refreshIdle: 1d }]`,
    ENV,
  )
  t.equal(config.tokens.accessTtl, 300_000)
  t.equal(config.tokens.refreshAbsolute, 90 * 86_400_000)
  t.equal(config.http.port, 3000)
  t.strictSame(config.secrets, [SECRET])
  t.match(config.clients, [
    {
      id: 'a',
      refreshIdle: 86_400_000,
      accessTtl: undefined,
      lateRetry: 'burn',
    },
  ])
})

t.test('variables stand anywhere in a text, $${ is a plain ${', async t => {
  const config = parseConfig(`${HEAD}http: { host: "a\${NAME}c\${EMPTY}$\${NAME}" }`, {
    ...ENV,
    NAME: 'b',
  })
  t.equal(config.http.host, 'abc${NAME}')
})

t.test('a variable that ends in a line break is named, whatever its key', async t => {
  const advice =
    "no line break at its end (`echo` puts one there: use printf '%s', or kubectl create secret " +
    '--from-literal)'
  const text = 'issuer: https://a\nstore: { url: "${STORE}" }\nsecrets: ["${SECRET}"]'
  for (const end of ['\n', '\r\n']) {
    t.throws(
      () =>
        parseConfig(text, { STORE: `redis://:canary@a/0${end}`, SECRET: SECRET + end }),
      {
        message:
          `store.url: expected the environment variable STORE to have ${advice}\n` +
          `secrets[0]: expected the environment variable SECRET to have ${advice}`,
      },
    )
  }
})

t.test('${file:PATH} is the text of a file, read at each load', async t => {
  const directory = t.testdir({
    secret: `${SECRET}\n`,
    windows: `${OTHER_SECRET}\r\n`,
    host: 'a.example',
    lines: 'a.example\n\n',
    empty: '\n',
    latin: Buffer.from([0xe4, 0xf6]),
    large: 'x'.repeat(65_537),
    folder: {},
  })
  const at = (name: string) => `\${file:${join(directory, name)}}`
  const secretsOf = () =>
    parseConfig(
      `issuer: https://a\nstore: { url: "sqlite:x" }\nsecrets: ["${at('secret')}", "${at('windows')}"]`,
      {},
    ).secrets
  t.strictSame(
    secretsOf(),
    [SECRET, OTHER_SECRET],
    'the line break at the end is cut off',
  )
  writeFileSync(join(directory, 'secret'), 'z'.repeat(43))
  t.strictSame(secretsOf(), ['z'.repeat(43), OTHER_SECRET], 'a reload reads it again')
  const config = parseConfig(`${HEAD}http: { host: "x-${at('host')}:$\${file:y}" }`, ENV)
  t.equal(config.http.host, 'x-a.example:${file:y}', 'in the middle of a text')
  t.equal(
    parseConfig(`${HEAD}http: { host: "${at('lines')}" }`, ENV).http.host,
    'a.example\n',
  )

  const rows: [file: string, expected: string][] = [
    ['nowhere', 'to be readable (ENOENT)'],
    ['folder', 'to be a regular file'],
    ['empty', 'not to be empty'],
    ['latin', 'to be UTF-8'],
    ['large', 'to have at most 65536 bytes'],
  ]
  for (const [file, expected] of rows) {
    t.strictSame(faultsOf(`http: { host: "${at(file)}" }`), [
      `http.host: expected the file ${join(directory, file)} ${expected}`,
    ])
  }
  t.strictSame(faultsOf('http: { host: "${file:}" }'), [
    'http.host: expected ${NAME} or ${file:/path}, or $${ for a plain ${',
  ])
})

t.test('each fault is told with its path and what was expected', async t => {
  const rows: [name: string, yaml: string, ...faults: string[]][] = [
    [
      'an unknown section',
      'tokns: {}',
      'tokns: expected no such key (tokens was meant?)',
    ],
    [
      'an unknown key',
      'http: { prt: 1 }',
      'http.prt: expected no such key (port was meant?)',
    ],
    [
      'a key like no other',
      'management: { colour: 1 }',
      'management.colour: expected no such key (known here: host, port, url, ' +
        'maxConnections, maxConnectionsPerAddress)',
    ],
    [
      'an unknown key of a client',
      'clients: [{ id: a, grant: [] }]',
      'clients[0].grant: expected no such key (grants was meant?)',
    ],
    ['a prototype as a key', '__proto__: {}', 'expected no such key'],
    [
      'a missing key',
      'clients: [{}]',
      'clients[0].id: expected up to 64 printable ASCII characters',
    ],
    [
      'an unknown grant',
      'clients: [{ id: a, grants: [password, implicit] }]',
      'clients[0].grants[1]: expected one of password, refresh_token',
    ],
    [
      'a text for a number',
      'http: { port: abc }',
      'http.port: expected a whole number from 0 to 65535',
    ],
    [
      'a number without upper bound',
      'throttle: { perAddress: { max: 0 } }',
      'throttle.perAddress.max: expected a whole number of at least 1',
    ],
    ['a text for a switch', 'http: { docs: maybe }', 'http.docs: expected true or false'],
    ['a number for a text', 'http: { host: 1 }', 'http.host: expected a text'],
    ['a section without keys', 'tokens:', 'tokens: expected a mapping'],
    ['a mapping for a list', 'clients: {}', 'clients: expected a list'],
    [
      'a bad duration',
      'tokens: { accessTtl: 10 minutes }',
      'tokens.accessTtl: expected a duration such as 10s, 15m, 12h or 14d',
    ],
    [
      'a number for auto',
      'passwords: { concurrency: 0 }',
      'passwords.concurrency: expected auto or a whole number from 1 to 128',
    ],
    [
      'a bad audience key',
      'audiences: { "a b": {} }',
      'audiences["a b"]: expected an audience: a URI or a name without blanks',
    ],
    [
      'a bad audience',
      'audiences: { "https://a/~b": { typ: jwt } }',
      'audiences["https://a/~b"].typ: expected one of at+jwt, JWT',
    ],
    [
      'three secrets',
      `clients: [{ id: a, secrets: ["${HASH}", "${HASH}", "${HASH}"] }]`,
      'clients[0].secrets: expected a list of at most 2',
    ],
    [
      'a variable that is not set',
      'http: { host: "${NOWHERE}" }',
      'http.host: expected the environment variable NOWHERE to be set',
    ],
    [
      'a variable without end',
      'http: { host: "${SECRET" }',
      'http.host: expected ${NAME} or ${file:/path}, or $${ for a plain ${',
    ],
    ...[
      ['capitals', 'https://App.example.com', 'https://app.example.com, as'],
      ['the default port', 'https://app.example.com:443', 'https://app.example.com, as'],
      ['a path', 'https://app.example.com/', 'https://app.example.com, as'],
      ['a query', 'http://app.example.com:8080?x', 'http://app.example.com:8080, as'],
      ['user info', 'https://u:p@app.example.com', 'https://app.example.com, as'],
      [
        'another alphabet',
        'https://b\u00FCcher.example',
        'https://xn--bcher-kva.example, as',
      ],
      ['a wildcard', 'https://*.example.com', 'each origin by its own name, or *'],
      ['no host', 'https://:1', 'an origin such as'],
      ['a path of an app', 'Capacitor://localhost/', 'capacitor://localhost, as'],
      ['a file', 'file://localhost', 'an origin such as'],
      ['a scheme alone', 'app://?', 'an origin such as'],
      ['no scheme', 'app.example.com', 'an origin such as'],
    ].map(([name, origin, meant]): [string, string, string] => [
      `an origin with ${name}`,
      `http: { cors: ["*", "${origin}"] }`,
      `http.cors[1]: expected ${meant}`,
    ]),
    [
      'a malformed name',
      'http: { host: "${A-B}" }',
      'http.host: expected ${NAME} or ${file:/path}, or $${ for a plain ${',
    ],
    [
      'many at once',
      'http: { port: x, docs: 1, host: 2, cors: [1, 2, 3, 4, 5, 6, 7, 8] }\nlog: { level: loud }',
      'http.port',
      'http.docs',
      'http.host',
      'http.cors[7]',
      'log.level: expected one of fatal, error',
    ],
  ]
  for (const [name, yaml, ...expected] of rows) {
    const faults = faultsOf(yaml)
    for (const text of expected) {
      t.ok(
        faults.some(fault => fault.includes(text)),
        `${name}: ${text}`,
        { faults },
      )
    }
    if (name !== 'many at once') {
      t.equal(faults.length, 1, `${name}: one fault`, { faults })
    }
  }
})

t.test('a file that is no configuration is refused', async t => {
  t.strictSame(faultsOf('', '', {}), ['(the file): expected a mapping'])
  t.strictSame(
    faultsOf('secrets: []\nissuer: https://a\nstore: { url: "sqlite:x" }', ''),
    ['secrets: expected a list of at least 1'],
  )
  t.strictSame(faultsOf('issuer: https://b\n'), [
    'line 4, column 1: expected valid YAML (duplicate key)',
  ])
  t.strictSame(faultsOf('log: *nowhere\n'), [
    'line 4, column 6: expected valid YAML (an alias without an anchor before it)',
  ])
  const quotes =
    'expected valid YAML (within [ ] and { } a text with ${…} stands in quotes: "${NAME}")'
  t.strictSame(faultsOf('webhooks: [${FIRST}, ${SECOND}]\nlog: { level: ${LEVEL} }\n'), [
    `line 4, column 13: ${quotes}`,
    `line 4, column 23: ${quotes}`,
    `line 5, column 16: ${quotes}`,
  ])
  t.strictSame(faultsOf('log: !secret x\n'), [
    'line 4, column 6: expected valid YAML (tag resolve failed)',
  ])
  await t.rejects(loadConfig('/nowhere/latchkey.yaml', {}), {
    name: 'ConfigError',
    faults: [
      { path: '/nowhere/latchkey.yaml', expected: 'a file that can be read (ENOENT)' },
    ],
  })
})

t.test('an algorithm goes by its old and by its new name', async t => {
  const { tokens, audiences } = parseConfig(
    `${HEAD}tokens: { algorithm: Ed25519 }\naudiences: { a: { algorithm: EdDSA }, b: { algorithm: RS256 } }`,
    ENV,
  )
  t.equal(tokens.algorithm, 'EdDSA')
  t.match(audiences, { a: { algorithm: 'EdDSA' }, b: { algorithm: 'RS256' } })
  t.strictSame(faultsOf('tokens: { algorithm: ES384 }'), [
    'tokens.algorithm: expected one of ES256, EdDSA, Ed25519, PS256, RS256',
  ])
})

t.test('an alias inside of what it stands for is a fault with its place', async t => {
  const rows: [yaml: string, fault: string][] = [
    ['log: &a [*a]', 'line 4, column 10'],
    ['log: &a { level: { level: *a } }', 'line 4, column 27'],
    ['log: &a\n  level: *a', 'line 5, column 10'],
    ['? &a { b: *a }\n: 1', 'line 4, column 11'],
  ]
  for (const [yaml, place] of rows) {
    t.strictSame(faultsOf(`${yaml}\n`), [
      `${place}: expected valid YAML (an alias inside of what it stands for)`,
    ])
  }
  t.strictSame(
    parseConfig(
      `${HEAD}clients: [{ id: a, scopes: &s [x] }, { id: b, scopes: *s }]`,
      ENV,
    ).clients.map(({ scopes }) => scopes),
    [['x'], ['x']],
    'an alias of what has ended is none',
  )
  const nine = (name: string) => Array.from({ length: 9 }, () => name).join(', ')
  const laughs = `a: &a [${nine('1')}]\nb: &b [${nine('*a')}]\nc: &c [${nine('*b')}]\nd: [${nine('*c')}]\n`
  t.strictSame(faultsOf(laughs), [
    '(the file): expected valid YAML (aliases that multiply less)',
  ])
  t.match(faultsOf(`http: ${'['.repeat(20_000)}`)[0], /^line 4.*expected valid YAML/)
})

t.test('a secret in the place of a key is not repeated', async t => {
  const base64 = 'mT3/q8Zr1x+V0bW5uK7eYpLd2oNhGsAfJcXiQwRtUk4='
  const url = 'mT3q8Zr1xV0bW5uK7eYpLd2oNhGsAfJcXiQwRtUk4aB'
  const hex = '9f86d081884c7d659a2feaa0c55ad015'
  const rows: [secret: string, yaml: string, path: string][] = [
    [
      base64,
      `"${base64}": 1`,
      'line 4: expected no such key (known here: issuer, allowHttp, processes',
    ],
    [
      base64,
      `http:\n  "${base64}": 1`,
      'http, line 5: expected no such key (known here: host',
    ],
    [url, `clients: [{ id: a, ${url} }]`, 'clients[0], line 4: expected no such key'],
    [hex, `store: { url: "sqlite:x", ${hex}: 1 }`, 'expected no such key'],
    [
      'hunter2',
      'clients: [{ id: a, hunter2: }]',
      'clients[0], line 4: expected no such key',
    ],
    ['correct horse', 'log: { correct horse: 1 }', 'log, line 4: expected no such key'],
    [url, `log: { [${url}]: 1 }`, 'log: expected no such key'],
    [url, `clients: [&a { id: a, ${url}: 1 }, *a]`, 'clients[1]: expected no such key'],
    [url, `audiences: { ${url}: { typ: x } }`, 'audiences[(a key that is not shown'],
    [hex, `audiences: { "a ${hex}": {} }`, 'audiences[(a key that is not shown'],
    [
      url,
      `http: { host: "\${${url}}" }`,
      'http.host: expected the environment variable (not shown',
    ],
  ]
  const warnings: unknown[] = []
  const onWarning = (warning: unknown) => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  for (const [secret, yaml, path] of rows) {
    const text = faultsOf(
      `${yaml}\n`,
      yaml.startsWith('store') ? HEAD.replace(/store.*\n/, '') : HEAD,
    ).join('\n')
    t.ok(text.includes(path), `${yaml}: ${path}`, { text })
    t.notOk(text.includes(secret), yaml, { text })
  }
  await new Promise(setImmediate)
  t.strictSame(warnings, [], 'nor by the parser')
  const decoded = () => decodeConfig({ ...MINIMAL, [url]: 1 })
  t.throws(decoded, /^\(the file\): expected no such key/, 'where there is no file')
  for (const shown of ['colour', 'accessTtl', 'access_ttl', 'ACCESS-TTL']) {
    t.match(faultsOf(`${shown}: 1\n`)[0], `${shown}: expected no such key`)
  }
  t.match(
    faultsOf('audiences: { "https://orders-service-v2-production.example.com": 1 }')[0],
    'audiences["https://orders-service-v2-production.example.com"]: expected a mapping',
  )
})

t.test('the rules between keys', async t => {
  const rows: [yaml: string, ...faults: string[]][] = [
    ['http: { port: 0 }\nmanagement: { port: 0 }'],
    [
      'http: { port: 4000 }\nmanagement: { port: 4000 }',
      'management.port: expected another port than http.port',
    ],
    ['http: { trustedProxies: [10.0.0.0/8, "::1", "fd00::/8", 127.0.0.1] }'],
    [
      'http: { trustedProxies: [10.0.0.0/33, proxy, 10.0.0.0/8/8, 10.0.0.0/x, "::/129"] }',
      ...[0, 1, 2, 3, 4].map(
        index =>
          `http.trustedProxies[${index}]: expected an address or CIDR such as 10.0.1.0/28`,
      ),
    ],
    [
      'tokens: { accessTtl: 15d }',
      'tokens.accessTtl: expected at most refreshIdle (14d)',
    ],
    ['tokens: { accessTtl: 999ms }', 'tokens.accessTtl: expected at least 1s'],
    [
      'tokens: { refreshIdle: 91d }',
      'tokens.refreshIdle: expected at most refreshAbsolute (90d)',
    ],
    ['tokens: { reuseGrace: 500ms }', 'tokens.reuseGrace: expected at least 1s'],
    [
      'tokens: { reuseGrace: 1h, refreshIdle: 1h }',
      'tokens.refreshIdle: expected more than tokens.reuseGrace (1h)',
    ],
    [
      'keys: { directory: /keys, pkcs11: { module: a, token: b, pin: c } }',
      'keys.pkcs11: expected no keys.directory beside it',
    ],
    [
      'passwords: { memoryKiB: 8, parallelism: 2 }',
      'passwords.memoryKiB: expected at least 8 times passwords.parallelism (16)',
    ],
    ['status: { ttl: 999ms }', 'status.ttl: expected at least 1s'],
    ['status: { ttl: 301s }', 'status.ttl: expected at most 5m'],
    ['status: { ttl: 5m, enabled: false }'],
    [
      'keys: { publishAhead: 91d }',
      'keys.publishAhead: expected at most keys.rotateEvery (90d)',
    ],
    [
      'keys: { publishAhead: 47h }',
      'keys.publishAhead: expected at least 48h, or keys.allowShortPublishAhead: true',
    ],
    ['keys: { publishAhead: 48h }'],
    ['keys: { publishAhead: 1h, allowShortPublishAhead: true }'],
    [
      'audiences: { a: { algorithm: RS256 }, b: { algorithm: EdDSA }, c: {} }\nclients: [{ id: a, ' +
        'audience: [a, c] }, { id: b, audience: [a, b, c] }]',
      'clients[1].audience: expected audiences of one algorithm (these need RS256 and EdDSA)',
    ],
    [
      'clients: [{ id: api, scopes: [openid] }, { id: b, scopes: [openid], audience: [api] }, ' +
        '{ id: "https://id.example.com", scopes: [openid, x] }]',
      ...[0, 2].map(
        index =>
          `clients[${index}].id: expected an id that is no audience, or no scope openid: ID tokens would ` +
          'pass for access tokens there',
      ),
    ],
    ['clients: [{ id: api, scopes: [x] }, { id: b, scopes: [openid], audience: [api] }]'],
    [
      'clients: [{ id: a, idTokenAlgorithm: HS256 }]',
      'clients[0].idTokenAlgorithm: expected one of ES256, EdDSA, Ed25519, PS256, RS256',
    ],
    [
      'clients: [{ id: a, accessTtl: 15d }, { id: b, refreshIdle: 91d }, { id: c, refreshAbsolute: 1d }]',
      'clients[0].accessTtl: expected at most refreshIdle (14d)',
      'clients[1].refreshIdle: expected at most refreshAbsolute (90d)',
      'clients[2].refreshIdle: expected at most refreshAbsolute (1d)',
    ],
    [
      `clients: [{ id: a, keys: [${JSON.stringify(PUBLIC)}] }, { id: b, jwksUri: ` +
        '"https://b.example.com/jwks.json" }, { id: c, jwksUri: "http://c.internal/jwks", ' +
        'jwksUriMayBePrivate: true, forwardsAddress: true }]',
    ],
    [
      `clients: [{ id: a }, { id: b, keys: [${JSON.stringify(PUBLIC)}, ` +
        `${JSON.stringify({ ...PUBLIC, use: 'enc' })}, ` +
        `${JSON.stringify({ ...PUBLIC, alg: 'HS256' })}, ${JSON.stringify(P384)}, ` +
        `{ kty: RSA, n: "${RSA_1024}", e: AQAB }, { kty: RSA, n: "${RSA_1024}", e: AQAB, p: AQ, q: AQ }] }]`,
      'clients[1].keys[1].use: expected sig, or no such key',
      'clients[1].keys[2].alg: expected one of ES256, EdDSA, Ed25519, PS256, RS256, or no such key',
      'clients[1].keys[3].crv: expected the curve of one of ES256, EdDSA, PS256, RS256: P-256 or Ed25519',
      'clients[1].keys[4]: expected RSA of 2048 to 4096 bits with an odd exponent from 3 to 32 bits; ' +
        'this one has 1024 bits, and an exponent of 17',
      `clients[1].keys[5]: expected ${HALF_PRIVATE('p, q')}`,
    ],
    [
      `clients: [{ id: a, keys: [{ kty: EC, crv: P-256, x: a, y: b }, ${PRIVATE}, ` +
        `${JSON.stringify(PUBLIC)}], jwksUri: "https://[" }, { id: b, jwksUri: ` +
        '"http://b.example.com" }]',
      'clients[0].keys[0]: expected a public key (JWK) that can be read',
      `clients[0].keys[1]: expected ${HALF_PRIVATE('d')}`,
      'clients[0].jwksUri: expected no such key beside keys',
      'clients[0].jwksUri: expected an https URL (http only with jwksUriMayBePrivate)',
      'clients[1].jwksUri: expected an https URL (http only with jwksUriMayBePrivate)',
    ],
    [
      'clients: [{ id: a }, { id: b }, { id: a }]',
      'clients[2].id: expected another id than those before it',
    ],
    [
      `clients: [{ id: a, secrets: ["${HASH}", "${HASH}"] }]`,
      'clients[0].secrets[1]: expected another secret than the one before it',
    ],
    [
      `clients: [{ id: a, forwardsAddress: true, introspect: any, secrets: ["${HASH}"] }]`,
    ],
    [
      'clients: [{ id: a, assertionAudience: endpoint, assertionMaxAge: 25h }]',
      'clients[0].assertionAudience: expected keys or jwksUri beside it',
      'clients[0].assertionMaxAge: expected keys or jwksUri beside it',
      'clients[0].assertionMaxAge: expected 1s to 24h',
    ],
    [
      'clients: [{ id: a, jwksUri: "https://a", assertionMaxAge: 999ms }]',
      'clients[0].assertionMaxAge: expected 1s to 24h',
    ],
    [
      'clients: [{ id: a, jwksUri: "https://a", assertionAudience: endpoint, assertionMaxAge: 1h }]',
    ],
    [
      'clients: [{ id: a, grants: [password, client_credentials] }]',
      'clients[0].grants[1]: expected another grant, or secrets or keys: anybody can pose as a public client',
    ],
    [`clients: [{ id: a, grants: [client_credentials], secrets: ["${HASH}"] }]`],
    [
      'clients: [{ id: a, forwardsAddress: true, introspect: any, introspectByToken: true }]',
      'clients[0].forwardsAddress: expected false, or secrets or keys: anybody can pose as a public client',
      'clients[0].introspectByToken: expected false, or secrets or keys: a public client may not introspect',
      'clients[0].introspect: expected own, or secrets or keys: a public client may not introspect',
    ],
  ]
  for (const [yaml, ...expected] of rows) t.strictSame(faultsOf(yaml), expected, yaml)
  const stores: [store: string, ...faults: string[]][] = [
    [
      '{ url: "rediss+sentinel://a/m", username: u, password: "p@ss", tls: { caFile: a, certFile: ' +
        'b, keyFile: c, serverName: d }, sentinel: { username: u, password: p } }',
    ],
    [
      '{ url: "redis://a", tls: {}, sentinel: {} }',
      'store.tls: expected no such key beside a URL other than rediss',
      'store.sentinel: expected no such key beside a URL other than +sentinel',
    ],
    [
      '{ url: "sqlite:x", replicas: 1 }',
      'store.replicas: expected 0 with SQLite, which has none',
    ],
    [
      '{ url: "redis+cluster://a" }\nintrospection: { cache: true }',
      'introspection.cache: expected false with Redis Cluster',
    ],
    ['{ url: "redis+sentinel://a/m" }\nintrospection: { cache: true }'],
    ['{ url: "sqlite:x" }\nintrospection: { cache: true }'],
    [
      '{ url: "sqlite:x", username: u, password: p, passwordFile: f }',
      'store.username: expected no such key beside SQLite',
      'store.password: expected no such key beside SQLite',
      'store.passwordFile: expected no such key beside SQLite',
    ],
    ...[
      ['sqlite:///./app.db', 'a path right behind sqlite:'],
      ['sqlite:///data/app.db', 'a path right behind sqlite:'],
      ['sqlite::memory:', 'a file'],
      ['sqlite:file:x?mode=ro', 'a path and no file: URI'],
      ['sqlite:x.db?mode=ro', 'a path without ?…'],
      ['sqlite:/data/', 'a file and no folder'],
      ['sqlite: ', 'a file and no folder'],
    ].map(([url, expected]): [string, string] => [
      `{ url: "${url}" }`,
      `store.url: expected ${expected}, such as sqlite:/data/latchkey.db or sqlite:./latchkey.db` +
        (url === 'sqlite::memory:'
          ? ': what is in memory is gone at the next restart'
          : ''),
    ]),
    ...['url', 'username', 'password'].map((key): [string, string] => [
      `{ ${key === 'url' ? '' : 'url: "redis://a", '}${key}: "redis://a\\n" }`,
      `store.${key}: expected no line break in it`,
    ]),
    [
      '{ url: "redis+sentinel://a/m", sentinel: { username: "a\\rb", password: "a\\nb" } }',
      'store.sentinel.username: expected no line break in it',
      'store.sentinel.password: expected no line break in it',
    ],
    ['{ url: "redis://a", passwordFile: f }'],
    [
      '{ url: "redis+sentinel://a/m", password: p, passwordFile: f, sentinel: { password: p, ' +
        'passwordFile: f } }',
      'store.passwordFile: expected no store.password beside it',
      'store.sentinel.passwordFile: expected no store.sentinel.password beside it',
    ],
    [
      '{ url: "rediss://a", tls: { certFile: b } }',
      'store.tls: expected certFile and keyFile, or neither',
    ],
    [
      '{ url: "rediss://a", tls: { keyFile: b } }',
      'store.tls: expected certFile and keyFile, or neither',
    ],
  ]
  for (const [store, ...expected] of stores) {
    t.strictSame(
      faultsOf('', HEAD.replace('{ url: "sqlite:x.db" }', store)),
      expected,
      store,
    )
  }
  const secrets =
    'issuer: https://a\nstore: { url: "sqlite:x" }\n' +
    `secrets: [${SECRET}, ${OTHER_SECRET}, ${SECRET}]`
  t.strictSame(faultsOf(secrets, ''), [
    'secrets[2]: expected another secret than those before it',
  ])
  const [base64, base64url] = ['+/8'.repeat(14) + 'A=', '-_8'.repeat(14) + 'A']
  t.strictSame(
    faultsOf(
      secrets.replace(OTHER_SECRET, `"${base64}"`).replace(/x+\]/, `${base64url}]`),
      '',
    ),
    ['secrets[2]: expected another secret than those before it'],
    'nor one that is written in another alphabet',
  )
})

t.test(
  'a secret is what openssl makes; another is refused with how to make one',
  async t => {
    const config = (secret: string) =>
      `issuer: https://a\nstore: { url: "sqlite:x" }\nsecrets: ["${secret}"]`
    const bytes = Buffer.alloc(33, 'ÿ>')
    for (const encoding of ['base64', 'base64url'] as const) {
      for (const length of [32, 33]) {
        const secret = bytes.subarray(0, length).toString(encoding)
        t.strictSame(
          parseConfig(config(secret), {}).secrets,
          [secret],
          `${length} ${encoding}`,
        )
      }
    }
    t.strictSame(
      deriveKeys([bytes.toString('base64')], 'dpop-nonce')[0]?.id,
      deriveKeys([bytes.toString('base64url')], 'dpop-nonce')[0]?.id,
      'and either is the same secret',
    )
    for (const bad of [
      'short',
      bytes.subarray(0, 31).toString('base64'),
      `${'x'.repeat(43)}===`,
      `${'x'.repeat(42)}!`,
    ]) {
      t.strictSame(faultsOf('', config(bad)), [
        'secrets[0]: expected 32 or more random bytes in base64 or base64url ' +
          '(openssl rand -base64 32 makes them)',
      ])
    }
  },
)

t.test('the issuer is https, or http on loopback, and holds no credentials', async t => {
  const faults = (issuer: string) =>
    faultsOf('', HEAD.replace('https://id.example.com', issuer))
  for (const good of [
    'https://id.example.com/tenant',
    'http://localhost:3000',
    'http://127.0.0.2',
    'http://[::1]:3000',
    'http://id.localhost',
  ]) {
    t.strictSame(faults(good), [], good)
  }
  for (const bad of ['http://id.example.com', 'http://127.0.0.1.example.com']) {
    t.strictSame(
      faults(bad),
      [
        'issuer: expected an https URL (http only on loopback; for trying out elsewhere, allowHttp: true)',
      ],
      bad,
    )
  }
  for (const bad of [
    'https://a:b@id.example.com',
    'https://a@b',
    'https://:p@b',
    'https://[',
  ]) {
    t.strictSame(faults(bad), ['issuer: expected a URL without user and password'], bad)
  }
  t.strictSame(
    faultsOf(
      'allowHttp: true\n',
      HEAD.replace('https://id.example.com', 'http://latchkey:3000'),
    ),
    [],
    'http in a network of containers, where it is allowed',
  )
})

t.test('no value of the file or the environment is repeated', async t => {
  const canary = 'canary secret'
  const rows = [
    `secrets: ["${canary}"]`,
    `secrets: "${canary}"`,
    `store: { url: "${canary}" }`,
    `clients: [{ id: a, secrets: ["${canary}"] }]`,
    `clients: ["${canary}"]`,
    'http: { host: "${CANARY" }',
    'log: { level: "${CANARY}" }',
    `store: "redis://:${canary}@`,
    `secrets: *${canary}`,
    `secrets: [!${canary} x]`,
    `http: { host: "\${${canary}}" }`,
  ]
  for (const yaml of rows) {
    const faults = faultsOf(yaml, '', { CANARY: canary })
    t.ok(faults.length > 0 && !faults.join().includes('canary'), yaml, { faults })
  }
})

t.test('durations are read and written, in the largest unit that fits', async t => {
  for (const text of ['1ms', '1500ms', '59s', '90m', '12h', '14d']) {
    t.equal(formatDuration(parseDuration(text)), text)
  }
  t.equal(formatDuration(0.5), '0.5ms')
  for (const text of ['', '5y', 'soon']) t.throws(() => parseDuration(text), TypeError)
})

t.test('the schema expects nothing at a place that it does not know', async t => {
  t.equal(expectedAt(['nowhere', 'at', 'all']), 'nothing')
  t.equal(expectedKeyAt(['nowhere']), 'nothing')
  t.strictSame(keysAt(['nowhere']), [])
})

t.test(
  'the published schema, the table and the example of docs/configuration.md are those of this version',
  async t => {
    const file = (name: string) =>
      readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
    const page = file('configuration.md')
    t.equal(file('config.schema.json'), schemaText(), 'run node scripts/config-schema.ts')
    t.equal(page, await pageText(page), 'run node scripts/config-schema.ts')
    const values = file('../helm/latchkey/values.schema.json')
    t.equal(values, valuesText(values), 'run node scripts/config-schema.ts')
    const { config } = parse(file('../helm/latchkey/values.yaml'))
    t.match(config, {
      http: { docs: Boolean, maxConnections: Number, maxConnectionsPerAddress: Number },
      management: { maxConnections: Number, maxConnectionsPerAddress: Number },
    })
    t.strictSame(
      decodeConfig({ ...config, ...MINIMAL }),
      decodeConfig(MINIMAL),
      "what the chart's values name is what holds without them",
    )
    const [, example = ''] = /```yaml\n([^]*?)```/.exec(page) ?? []
    t.equal(
      parseConfig(example, { LATCHKEY_SECRET: SECRET, LATCHKEY_STORE: 'sqlite:x' })
        .clients.length,
      3,
    )
    t.notMatch(schemaText(), /"expected"|"~/)
  },
)

t.test(
  'a file of another encoding is refused with its line, a mark is skipped',
  async t => {
    const file = join(t.testdir({}), 'latchkey.yaml')
    writeFileSync(file, `\uFEFF${HEAD}http: { host: "ä" }`)
    t.match(await loadConfig(file, ENV), { http: { host: 'ä' } })
    const cases = [
      { bytes: Buffer.from(`${HEAD}http: { host: "ä" }`, 'latin1'), line: 4 },
      { bytes: Buffer.from(`\uFEFF${HEAD}`, 'utf16le'), line: 1 },
    ]
    for (const { bytes, line } of cases) {
      writeFileSync(file, bytes)
      await t.rejects(loadConfig(file, ENV), {
        name: 'ConfigError',
        message: new RegExp(`^line ${line}: expected UTF-8 \\(.*convert`),
      })
    }
  },
)

t.test(
  'origins of pages, apps and extensions are taken as browsers write them',
  async t => {
    const origins = [
      '*',
      'https://app.example.com',
      'http://localhost:5173',
      'http://[::1]:3000',
      'capacitor://localhost',
      'tauri://localhost',
      'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
      'moz-extension://0c88c8bd-cdac-4349-8264-6295209ba004',
    ]
    t.same(faultsOf(`http: { cors: ${JSON.stringify(origins)} }`), [])
  },
)
