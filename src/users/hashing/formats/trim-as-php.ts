// What PHP calls blank at the ends of a text, which WordPress cuts off every password.

/** What PHP's trim leaves of a text. It knows other blanks than String.trim does. */
export function trimAsPhp(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && BLANK.has(text.charAt(start))) start += 1
  while (end > start && BLANK.has(text.charAt(end - 1))) end -= 1
  return text.slice(start, end)
}

const BLANK = new Set([' ', '\t', '\n', '\r', '\0', '\v'])
