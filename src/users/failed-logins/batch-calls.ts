// Questions that come faster than they are answered are asked together: one is under way at a time, and what
// comes meanwhile makes up the next. However many logins a flood brings, the store isn't flooded.

/** How many make up one, at most. */
const AT_ONCE = 256

interface Asked<Question, Answer> {
  readonly question: Question
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/**
 * Makes a function that asks one question from one that asks many; `ask` answers in their order. All of those
 * that were asked together reject with what `ask` rejects with.
 */
export function askTogether<Question, Answer>(
  ask: (questions: readonly Question[]) => Promise<readonly Answer[]>,
): (question: Question) => Promise<Answer> {
  const waiting: Asked<Question, Answer>[] = []
  let isAsking = false

  async function askAll(): Promise<void> {
    isAsking = true
    while (waiting.length > 0) {
      const asked = waiting.splice(0, AT_ONCE)
      try {
        const answers = await ask(asked.map(({ question }) => question))
        for (const [place, answer] of answers.entries()) asked[place]?.resolve(answer)
      } catch (error) {
        for (const { reject } of asked) reject(error)
      }
    }
    isAsking = false
  }

  return question =>
    new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject })
      if (!isAsking) askAll()
    })
}
