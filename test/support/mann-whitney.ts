// Whether two lists of times can be told apart: the rank-sum test of Mann and Whitney, which asks nothing of
// how times are spread.

/**
 * How many standard deviations the first list's ranks are off from what chance gives; beyond 5 it is no
 * chance. Positive: the first takes longer.
 */
export function standardScore(
  first: readonly number[],
  second: readonly number[],
): number {
  const [n, m] = [first.length, second.length]
  const all = [
    ...first.map(value => ({ value, isFirst: true })),
    ...second.map(value => ({ value, isFirst: false })),
  ].sort((a, b) => a.value - b.value)
  let rankSum = 0
  for (let from = 0, to = 0; from < all.length; from = to) {
    while (to < all.length && all[to]?.value === all[from]?.value) to += 1
    // Equal ones share their ranks' mean.
    rankSum +=
      (all.slice(from, to).filter(({ isFirst }) => isFirst).length * (from + 1 + to)) / 2
  }
  const u = rankSum - (n * (n + 1)) / 2
  return (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12)
}
