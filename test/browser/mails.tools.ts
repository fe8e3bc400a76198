// The mails that come along, in a real browser, 360 pixels wide, in light and dark: nothing is cut off,
// nothing is loaded from anywhere, the text can be read, and the link is the link.
import t from 'tap'
import { createMail } from '../../src/outbox/mail/mail.ts'
import { MAILS, openTemplates } from '../../src/outbox/mail/templates.ts'
import { someMessage } from '../outbox/support.ts'
import { startBrowser } from '../support/browser.ts'

const PAGE = 'https://app.example.com/a-page-of-the-app'
const LINKS = { verification: PAGE, recovery: PAGE, invitation: PAGE, account: PAGE }
const TICKET = `tk_${'x'.repeat(66)}`
const WIDTH = 360
/** WCAG 2.2, 1.4.3: of text that is not large. */
const LEAST_CONTRAST = 4.5

/** The HTML of a mail. */
async function htmlOf(type: (typeof MAILS)[number], locale: string): Promise<string> {
  const mails: string[] = []
  const send = createMail({
    settings: () => ({
      host: 'unused',
      tls: 'none',
      timeout: 1000,
      from: 'A Shop of Many Words <no-reply@shop.example>',
      links: LINKS,
    }),
    templates: () => openTemplates({ locale: 'en' }),
    post: async (_settings, { html }) => {
      mails.push(html)
    },
    clock: () => 0,
  })
  const made = { ticket: TICKET, code: '40371956', expiresAt: 1_800_000 }
  const ticket = type.startsWith('ticket.') ? made : undefined
  await send(someMessage({ type, locale, ticket }), new AbortController().signal)
  return String(mails[0])
}

/** What is measured in the page, as a script: this project's types know no document. */
interface Measured {
  readonly width: number
  /** The lowest contrast of anything that stands on the card with it. */
  readonly contrast: number
  readonly links: readonly string[]
  readonly headings: number
}

const MEASURE = `(() => {
  const luminance = color => {
    const [red, green, blue] = color.match(/[0-9]+/g).map(part => {
      const share = Number(part) / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const card = document.querySelector('main')
  const ground = luminance(getComputedStyle(card).backgroundColor)
  const contrasts = [...card.querySelectorAll('*')].map(element => {
    const ink = luminance(getComputedStyle(element).color)
    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)
  })
  return {
    width: document.documentElement.scrollWidth,
    contrast: Math.min(...contrasts),
    links: [...document.querySelectorAll('a')].map(({ href }) => href),
    headings: document.querySelectorAll('h1').length,
  }
})()`

t.test('every mail can be read on a small screen, by day and by night', async t => {
  const browser = await startBrowser()
  t.teardown(() => browser.close())
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({
      viewport: { width: WIDTH, height: 640 },
      colorScheme,
    })
    const asked: string[] = []
    page.on('request', request => asked.push(request.url()))
    for (const type of MAILS) {
      for (const locale of ['en', 'de']) {
        const about = `${type} ${locale} ${colorScheme}`
        await page.setContent(await htmlOf(type, locale))
        const { width, contrast, links, headings } =
          await page.evaluate<Measured>(MEASURE)
        t.ok(width <= WIDTH, `${about}: ${width} pixels`)
        t.ok(contrast >= LEAST_CONTRAST, `${about}: contrast ${contrast.toFixed(1)}`)
        if (type.startsWith('ticket.')) t.ok(links.includes(`${PAGE}#${TICKET}`), about)
        t.equal(headings, 1)
      }
    }
    t.strictSame(asked, [], 'opening a mail tells nobody')
    await page.close()
  }
})
