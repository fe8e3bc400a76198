// The HTML of a mail: of a template of its own, or of the text of the mail in a plain layout. Nothing in it
// comes from elsewhere: no image, no font, no script, so that opening it tells nobody.
import type { Values } from './template.ts'

/** The text with what HTML would read as markup written out. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/**
 * The HTML of a mail's text: the subject above it, a link, a large code.
 *
 * @param text as it was rendered, with `\n`
 * @param values what it was rendered with
 */
export function htmlOf(
  text: string,
  {
    values,
    lang,
    title,
  }: { readonly values: Values; readonly lang: string; readonly title: string },
): string {
  const paragraphs = text.trim().split(/\n{2,}/)
  return LAYOUT.replaceAll(/LANG|TITLE|BODY/g, part => {
    if (part === 'LANG') return escapeHtml(lang)
    if (part === 'TITLE') return escapeHtml(title)
    return paragraphs.map(each => paragraph(each.trim(), values)).join('\n')
  })
}

function paragraph(text: string, { link, code, account }: Values): string {
  const shown = escapeHtml(text)
  if (text === link || text === account) {
    return `<p><a class="link" href="${shown}">${shown}</a></p>`
  }
  if (text === code) return `<p class="code">${shown}</p>`
  return `<p>${shown.replaceAll('\n', '<br>\n')}</p>`
}

const LAYOUT = `<!doctype html>
<html lang="LANG">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>TITLE</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; padding: 24px 16px; background: #f4f4f5; color: #18181b;
  font: 16px/1.5 -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
main { max-width: 480px; margin: 0 auto; padding: 8px 24px; background: #ffffff; border-radius: 8px; }
h1 { font-size: 20px; line-height: 1.3; }
a.link { color: #1d4ed8; overflow-wrap: anywhere; }
.code { margin: 8px 0; font: bold 28px/1.2 ui-monospace, Menlo, Consolas, monospace; letter-spacing: 4px; }
@media (prefers-color-scheme: dark) {
  body { background: #18181b; color: #f4f4f5; }
  main { background: #27272a; }
  a.link { color: #93c5fd; }
}
</style>
</head>
<body>
<main>
<h1>TITLE</h1>
BODY
</main>
</body>
</html>
`
