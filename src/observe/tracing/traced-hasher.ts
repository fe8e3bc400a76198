// The wait for a turn to hash, and each look at a password, as spans. Which of both looks it was is not told:
// it would tell who exists.
import type { Hashing, PasswordHasher } from '../../users/hashing/hasher.ts'
import type { Spans } from './tracing.ts'

/** Traces the hasher. */
export function tracedHasher(hasher: PasswordHasher, spans: Spans): PasswordHasher {
  return {
    ...hasher,
    async enqueue(request, work) {
      const end = spans.begin('hash.wait')
      try {
        return await hasher.enqueue(request, hashing => {
          end()
          return work(tracedHashing(hashing, spans))
        })
      } catch (error) {
        end(error)
        throw error
      }
    },
  }
}

function tracedHashing(
  { hash, verify, verifyDummy }: Hashing,
  { around }: Spans,
): Hashing {
  return {
    hash: around('hash.make', hash),
    verify: around('hash.verify', verify),
    verifyDummy: around('hash.verify', verifyDummy),
  }
}
