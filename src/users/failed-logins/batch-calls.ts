// Batches calls to the store: one batch is under way at a time, and the calls that arrive meanwhile make up
// the next. A flood of logins so never becomes a flood of round trips.

/** How many calls make up one batch, at most. */
const AT_ONCE = 256

interface Call<Question, Answer> {
  readonly question: Question
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/**
 * Turns a function over many questions into one over a single question; `ask` answers in the order of the
 * questions. When `ask` rejects, every call of its batch rejects with the same error.
 */
export function batchCalls<Question, Answer>(
  ask: (questions: readonly Question[]) => Promise<readonly Answer[]>,
): (question: Question) => Promise<Answer> {
  const waiting: Call<Question, Answer>[] = []
  let isAsking = false

  async function flush(): Promise<void> {
    isAsking = true
    while (waiting.length > 0) {
      const batch = waiting.splice(0, AT_ONCE)
      try {
        const answers = await ask(batch.map(({ question }) => question))
        for (const [place, answer] of answers.entries()) batch[place]?.resolve(answer)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    isAsking = false
  }

  return question =>
    new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject })
      if (!isAsking) flush()
    })
}
