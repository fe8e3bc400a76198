import t from 'tap'
import { parseBasic } from '../../src/oauth/basic.ts'
import { OAuthError, slowDown, temporarilyUnavailable } from '../../src/oauth/errors.ts'
import { invalidToken } from '../../src/oauth/token-errors.ts'
import { decodeFormComponent, parseForm } from '../../src/oauth/form.ts'
import { formatScope, isWithin, parseScope, scopeTokens } from '../../src/oauth/scope.ts'

const form = (body: string | Uint8Array) => ({
  ...parseForm(typeof body === 'string' ? Buffer.from(body) : body),
})

t.test('a form gives its parameters decoded, once each', async t => {
  t.same(form('grant_type=password&username=a%2Bb+c&password=p%C3%A4ss'), {
    grant_type: 'password',
    username: 'a+b c',
    password: 'päss',
  })
  t.same(form('a=1&&b'), { a: '1' }, 'an empty pair and a name without value are absent')
  t.same(form(''), {})
})

t.test(
  'an empty value counts as absent, but not for repeats (RFC 6749 §3.2)',
  async t => {
    t.same(form('scope=&username=a'), { username: 'a' })
    t.throws(() => form('scope=&scope=a'), { code: 'invalid_request' })
  },
)

t.test('resource alone may repeat (RFC 8707 §2)', async t => {
  t.same(form('resource=https://a&resource=https://b&resource='), {
    resource: ['https://a', 'https://b'],
  })
  t.same(form('resource='), {})
})

t.test('names that are special to JavaScript are parameters like any other', async t => {
  const parsed = parseForm(Buffer.from('__proto__=x&constructor=y&toString=z'))
  t.equal(Object.getPrototypeOf(parsed), null)
  t.same(Object.keys(parsed), ['__proto__', 'constructor', 'toString'])
})

const malformed = [
  { name: 'a repeated parameter', body: 'a=1&a=2' },
  { name: 'a repeated __proto__', body: '__proto__=1&__proto__=2' },
  { name: 'a broken percent-encoding', body: 'a=%zz' },
  { name: 'a cut percent-encoding', body: 'a=%' },
  { name: 'an encoded lone surrogate', body: 'a=%ED%A0%80' },
  { name: 'an encoded NUL', body: 'a=%00' },
  { name: 'a line feed', body: 'a=%0A' },
  { name: 'bytes that are not UTF-8', body: new Uint8Array([0x61, 0x3d, 0xff]) },
]
for (const { name, body } of malformed) {
  t.test(`${name} is an invalid_request`, async t => {
    t.throws(() => form(body), {
      name: 'OAuthError',
      code: 'invalid_request',
      status: 400,
    })
  })
}

t.test('a form component keeps what needs no decoding', async t => {
  t.equal(decodeFormComponent('plain'), 'plain')
})

t.test('Basic credentials are form-decoded after base64 (RFC 6749 §2.3.1)', async t => {
  const header = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  t.same(parseBasic(header('my%2Bapp:s%3Ae+c%25')), {
    clientId: 'my+app',
    clientSecret: 's:e c%',
  })
  t.same(parseBasic(header('public:')), { clientId: 'public', clientSecret: '' })
  t.same(parseBasic(header('a:b:c')), { clientId: 'a', clientSecret: 'b:c' })
  t.equal(parseBasic(undefined), undefined)
  t.equal(parseBasic('Bearer abc'), undefined)
  for (const bad of [
    'Basic',
    'Basic ***',
    header('nocolon'),
    header(':nobody'),
    header('a:%zz'),
  ]) {
    t.throws(() => parseBasic(bad), { code: 'invalid_request' }, bad)
  }
  t.throws(() => parseBasic(header(':')), {
    message: 'client_id is missing',
    reason: 'client_missing',
  })
})

t.test('scope strings follow RFC 6749 §3.3', async t => {
  t.same(parseScope('a b a'), ['a', 'b'])
  for (const bad of ['a  b', ' a', 'a"b', 'a\\b', 'ä']) {
    t.equal(parseScope(bad), undefined, bad)
  }
  t.same(scopeTokens(''), [])
  t.same(scopeTokens('a b'), ['a', 'b'])
  t.equal(formatScope(['a', 'b']), 'a b')
  t.ok(isWithin(['a'], ['b', 'a']))
  t.notOk(isWithin(['a', 'c'], ['a']))
})

t.test(
  'errors carry their headers, and descriptions keep to the alphabet of RFC 6749 §5.2',
  async t => {
    t.equal(slowDown(7).headers['retry-after'], '7')
    t.equal(temporarilyUnavailable('store_unavailable').headers['retry-after'], '1')
    t.equal(
      invalidToken('token_missing').headers['www-authenticate'],
      'Bearer realm="latchkey"',
    )
    t.match(
      invalidToken('token_invalid').headers['www-authenticate'],
      /error="invalid_token"/,
    )
    const errors = await import('../../src/oauth/errors.ts')
    const made = [
      errors.invalidRequest('x'),
      errors.invalidClient('client_unknown'),
      errors.unauthorizedClient(),
      errors.invalidGrant('family_idle'),
      errors.invalidScope(),
      errors.invalidTarget(),
      errors.unsupportedGrantType(),
      slowDown(1),
      temporarilyUnavailable('store_unavailable'),
      invalidToken('token_invalid'),
    ]
    for (const error of made) {
      t.ok(error instanceof OAuthError)
      t.match(error.message, /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/)
      t.equal('www-authenticate' in error.headers, error.status === 401, error.code)
    }
  },
)

t.test('where other parameters may repeat, those do and no other', async t => {
  const parse = (body: string) => ({ ...parseForm(Buffer.from(body), ['audience']) })
  t.same(parse('audience=a&audience=&audience=b&resource=c'), {
    audience: ['a', 'b'],
    resource: 'c',
  })
  t.throws(() => parse('resource=a&resource=b'), { code: 'invalid_request' })
})
