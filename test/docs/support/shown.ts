// What a page shows as output, held against what was printed.

/**
 * Every line that is shown is printed, in this order; `…` stands for anything within a line.
 *
 * @throws Error that names the line that isn't there
 */
export function assertShown(printed: string, shown: string): void {
  let rest = printed.replaceAll('\r', '')
  for (const line of shown.split('\n').filter(text => text.trim() !== '')) {
    const pattern = line
      .trim()
      .split('…')
      .map(part => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      .join('[^\n]*?')
    const found = new RegExp(pattern).exec(rest)
    if (found === null) throw new Error(`"${line}" is not in what is printed:\n${rest}`)
    rest = rest.slice(found.index + found[0].length)
  }
}
