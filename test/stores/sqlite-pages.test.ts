// Pages of accounts and searches in SQLite go by an index: their cost doesn't grow with the accounts.
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import t from 'tap'
import { migrate } from '../../src/stores/sqlite/database/migrations.ts'
import { ACCOUNT_SQL } from '../../src/stores/sqlite/people/account-columns.ts'

t.test('nothing is scanned or sorted', async t => {
  const db = new DatabaseSync(':memory:')
  t.teardown(() => db.close())
  migrate(db)
  const range = { from: 'a', before: 'b', limit: 50 }
  const planOf = (sql: string, named: Record<string, SQLInputValue>) =>
    db
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(named)
      .map(({ detail }) => String(detail))
      .join('; ')
  const plans = {
    page: planOf(ACCOUNT_SQL.page, { createdAt: 0, sub: '', limit: 50 }),
    byNames: planOf(ACCOUNT_SQL.byNames, range),
    byValues: planOf(ACCOUNT_SQL.byValues, { ...range, attribute: 'email' }),
  }
  for (const [query, plan] of Object.entries(plans)) {
    t.notMatch(plan, /SCAN|TEMP B-TREE/, `${query}: ${plan}`)
  }
  t.match(plans.page, /users_created_at \(\(created_at,sub\)>\(\?,\?\)\)/)
  t.match(plans.byNames, /\(folded_name>\? AND folded_name<\?\)/)
  t.match(plans.byValues, /\(attribute=\? AND value>\? AND value<\?\)/)
})
