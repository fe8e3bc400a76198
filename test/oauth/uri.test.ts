// URIs as RFC 3986 compares them.
import fc from 'fast-check'
import t from 'tap'
import { normaliseHttpUri } from '../../src/oauth/uri.ts'
import { SOON_MS } from '../support/until.ts'

t.test('RFC 3986 §6.2.2, §6.2.3: spellings of one URI', async t => {
  const rows: [expected: string, ...spellings: string[]][] = [
    [
      'https://example.com/',
      'https://example.com',
      'HTTPS://EXAMPLE.com/',
      'https://example.com:443',
      'https://example.com:/',
      'https://example.com:0443/',
      'https://example.com?a=b#c',
      'https://ex%41mple.com',
      'https://example.com/.',
      'https://example.com/../..',
    ],
    ['http://example.com:443/', 'http://example.com:443/'],
    ['http://example.com/', 'http://example.com:80/'],
    ['https://example.com/a~b', 'https://example.com/a%7Eb', 'https://example.com/a%7eb'],
    ['https://example.com/a%2Fb', 'https://example.com/a%2fb'],
    [
      'https://example.com/a/c',
      'https://example.com/a/b/../c',
      'https://example.com/a/./c',
    ],
    ['https://example.com/a/', 'https://example.com/a/b/..', 'https://example.com/a/%2e'],
    ['https://example.com//a', 'https://example.com//a'],
    ['https://example.com/a%5B0%5D%7Cb%5E', 'https://example.com/a[0]|b^'],
    ['http://[::1]:3000/a', 'http://[0:0:0:0:0:0:0:1]:3000/a', 'http://[::0001]:3000/a'],
    ['http://2130706433/token', 'http://2130706433/token'],
    ['https://example.com/%E4%BD%A0', 'https://example.com/%e4%bd%a0'],
  ]
  for (const [expected, ...spellings] of rows) {
    for (const text of spellings) t.equal(normaliseHttpUri(text), expected, text)
  }
})

t.test('what is no http URI', async t => {
  const rows = [
    '',
    'token',
    '/token',
    '//example.com/token',
    'https:/example.com',
    'https:example.com',
    'https:///token',
    'https://:443/token',
    'https:\\\\example.com\\token',
    'https://example.com\\token',
    'https://example.com/to\tken',
    'https://example.com/to\nken',
    ' https://example.com',
    'https://example.com ',
    'https://example.com/a b',
    'https://example.com/%',
    'https://example.com/%4',
    'https://example.com/%zz',
    'https://example.com/\u00E9',
    'https://b\u00FCcher.example/',
    'https://user@example.com/',
    'https://user:password@example.com/',
    'https://example.com:x/',
    'https://example.com:-1/',
    'https://[::1',
    'https://[:::1]/',
    'https://[12345::1]/',
    'https://example.com/"',
    'https://example.com/<a>',
    'https://example.com/{a}',
    'https://example.com/a#b#c',
    'ftp://example.com/',
    'data:,x',
  ]
  for (const text of rows) {
    t.equal(normaliseHttpUri(text), undefined, JSON.stringify(text))
  }
})

t.test('normalised once, normalised for good; and never slow', async t => {
  const texts = fc.string({
    unit: fc.constantFrom(...'aA.%2fF7e~/:@?#[]\\ 0'),
    maxLength: 60,
  })
  fc.assert(
    fc.property(texts, text => {
      const once = normaliseHttpUri(`https://x/${text}`)
      return once === undefined || normaliseHttpUri(once) === once
    }),
    { numRuns: 2000 },
  )
  const began = performance.now()
  for (const part of ['%', '/.', '/..', '%2', '@', ':', '[']) {
    normaliseHttpUri(`https://${part.repeat(4000)}`)
    normaliseHttpUri(`https://x${part.repeat(4000)}\\`)
  }
  t.ok(performance.now() - began < SOON_MS)
})
