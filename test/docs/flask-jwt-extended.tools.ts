// docs/how-to/flask-jwt-extended.md: its app, before keys that are counted, and tokens that nobody signed.
import t from 'tap'
import { python, runPython } from '../support/python.ts'
import { allBlocks, fileOf } from './support/blocks.ts'

const PAGE = 'docs/how-to/flask-jwt-extended.md'

t.test(
  'whoever names keys that nobody has is refused, and has them fetched once',
  async t => {
    const app = allBlocks().find(
      block => block.page === PAGE && fileOf(block)?.name === 'app.py',
    )
    if (app === undefined) throw new Error(`${PAGE} has no app.py`)
    const script = 'test/docs/support/flask_page.py'
    const { statuses, fetches } = await runPython(await python(), script, {
      APP: app.code,
    })
    t.strictSame(statuses, {
      good: 200,
      none: 401,
      number: 422,
      unknown: Array.from({ length: 20 }, () => 401),
      'good again': 200,
      'rotated at once': 401,
      'rotated later': 200,
    })
    t.equal(
      fetches,
      3,
      'at the start, for the first unknown key, for the one after a rotation',
    )
  },
)
