// Records of one file that want the same thing.
import type { UniqueValue } from '../../stores/ports/directory.ts'
import {
  refused,
  takenAt,
  type Candidate,
  type ImportOutcome,
  type Judged,
} from './outcome.ts'

/**
 * Finds records of one file that share a name, an id or a unique value: the first one is imported, as in the
 * store.
 */
export function createTwins() {
  const names = new Map<string, { sub: string; line: number }>()
  const subs = new Map<string, number>()
  const values = new Map<string, number>()
  const keyOf = ({ attribute, value }: UniqueValue) => `${attribute}:${value}`
  return {
    judge(candidate: Candidate, line: number): Judged {
      const { foldedName, sub, uniqueValues, logins } = candidate
      const namesake = names.get(foldedName)
      const sameSub = subs.get(sub)
      if (namesake?.sub === sub) return { kind: 'already_there', sub }
      if (namesake !== undefined) return twin('name_taken', namesake.line)
      if (sameSub !== undefined) return twin('sub_taken', sameSub)
      for (const value of logins?.ofName ?? []) {
        const first = values.get(keyOf(value))
        if (first !== undefined) return twin('name_taken', first)
      }
      for (const value of uniqueValues) {
        const first = values.get(keyOf(value))
        if (first !== undefined) {
          return refused({ ...takenAt(value), twin: first })
        }
      }
      for (const value of logins?.ofValues ?? []) {
        const first = names.get(value.foldedName)
        if (first !== undefined) return refused({ ...takenAt(value), twin: first.line })
      }
      for (const value of uniqueValues) values.set(keyOf(value), line)
      names.set(foldedName, { sub, line })
      subs.set(sub, line)
      return candidate
    },
  }
}

function twin(reason: 'name_taken' | 'sub_taken', line: number): ImportOutcome {
  return refused({ reason, twin: line })
}
