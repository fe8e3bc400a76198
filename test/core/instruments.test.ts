// A core that nobody measures behaves as one that is measured.
import t from 'tap'
import { NO_INSTRUMENTS } from '../../src/core/instruments.ts'

t.test('without instruments nothing stands before the parts of the core', async t => {
  const { status, hashWaited, directories, aroundHasher, aroundSign } = NO_INSTRUMENTS
  const hasher = {} as Parameters<typeof aroundHasher>[0]
  const sign: Parameters<typeof aroundSign>[0] = () => 'a signed token'
  t.equal(aroundHasher(hasher), hasher)
  t.equal(aroundSign(sign), sign)
  t.equal(hashWaited(1), undefined)
  t.equal(
    directories.answered({} as Parameters<typeof directories.answered>[0]),
    undefined,
  )
  t.equal(directories.changed('crm', undefined), undefined)
  t.equal(directories.unchecked('crm', new Error('EIO')), undefined)
  t.equal(status.countStatusLease(), undefined)
  t.equal(status.observeStatusRebuild(1), undefined)
})
