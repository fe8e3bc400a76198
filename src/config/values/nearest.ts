// Which known word was meant by one that is not known.

/** The word of `known` nearest to `word`, when no more than a third of its letters differ. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map(candidate => ({
      candidate,
      edits: distance(
        word.toLowerCase(),
        candidate.toLowerCase(),
        Math.ceil(candidate.length / 3),
      ),
    }))
    .filter(({ edits }) => edits < Infinity)
    .sort((a, b) => a.edits - b.edits)
  return best?.candidate
}

/** Levenshtein's distance, or Infinity when it is more than `most`: that bound keeps the recursion small. */
function distance(from: string, to: string, most: number): number {
  if (most < 0) return Infinity
  if (from === '' && to === '') return 0
  if (from !== '' && from[0] === to[0]) return distance(from.slice(1), to.slice(1), most)
  return (
    1 +
    Math.min(
      distance(from.slice(1), to.slice(1), most - 1),
      distance(from.slice(1), to, most - 1),
      distance(from, to.slice(1), most - 1),
    )
  )
}
