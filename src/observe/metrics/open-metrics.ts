// Prometheus' text format as OpenMetrics 1.0 has it, which alone can carry exemplars. Names of series stay
// the same in both, so that no rule and no panel depends on which one a scraper asks for.

/** The formats in which metrics are served. */
export type MetricsFormat = 'text' | 'openmetrics'

/**
 * Rewrites Prometheus' text format: a counter's family is named without `_total`, no line is empty, and the
 * end is marked.
 */
export function toOpenMetrics(text: string): string {
  const lines = text
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.replace(/^(# (?:HELP|TYPE) \S+)_total /, '$1 '))
  return [...lines, '# EOF', ''].join('\n')
}
