// The family of a User-Agent, as browsers and programs write theirs.
import t from 'tap'
import { userAgentFamily } from '../../src/grants/device.ts'

const WINDOWS = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)'
const MAC = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)'
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)'
const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const CHROME = `${WINDOWS} ${WEBKIT} Chrome/142.0.0.0 Safari/537.36`

const FAMILIES: ReadonlyArray<readonly [string, string | undefined]> = [
  [CHROME, 'Chrome'],
  [`${IPHONE} ${WEBKIT} CriOS/142.0 Mobile/15E148 Safari/604.1`, 'Chrome'],
  [`${CHROME} Edg/142.0.0.0`, 'Edge'],
  [`${IPHONE} ${WEBKIT} Version/18.0 EdgiOS/142.0 Mobile/15E148 Safari/604.1`, 'Edge'],
  [`${CHROME} OPR/120.0.0.0`, 'Opera'],
  [
    `${WINDOWS} ${WEBKIT} SamsungBrowser/28.0 Chrome/130.0 Safari/537.36`,
    'Samsung Internet',
  ],
  [`${WINDOWS.replace(')', '; rv:145.0)')} Gecko/20100101 Firefox/145.0`, 'Firefox'],
  [`${IPHONE} ${WEBKIT} FxiOS/145.0 Mobile/15E148 Safari/605.1.15`, 'Firefox'],
  [
    `${MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15`,
    'Safari',
  ],
  [`${IPHONE} ${WEBKIT} Mobile/15E148`, undefined],
  ['okhttp/4.12.0', 'okhttp'],
  ['Orders/7.3 CFNetwork/1568.200.51 Darwin/24.1.0', 'Orders'],
  ['python-requests/2.32.3', 'python-requests'],
  ['node', 'node'],
  ['curl/8.11.0', 'curl'],
  ['(no product)', undefined],
  ['two words', undefined],
  [`${'x'.repeat(25)}/1`, undefined],
  ['\u0000evil/1', undefined],
  ['', undefined],
]

t.test('a User-Agent is kept by its family alone', async t => {
  for (const [header, family] of FAMILIES) {
    t.equal(userAgentFamily(header), family, header)
  }
  t.equal(userAgentFamily(undefined), undefined, 'no header')
  t.equal(
    userAgentFamily(['a/1', 'b/1']),
    undefined,
    'a header that no HTTP server gives',
  )
  const long = `${' '.repeat(600)}Firefox/145.0`
  t.equal(userAgentFamily(long), undefined, 'what stands far behind is not read')
})
