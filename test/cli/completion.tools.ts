/* eslint no-template-curly-in-string: "off" -- shells write their variables so */
// What `latchkey completion` prints, in the shells themselves.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { blockOf } from '../docs/support/blocks.ts'
import { commandLine } from '../support/command-line.ts'

/** How a shell is asked what it would complete of a line; prints one word a line. */
const ASK: Readonly<
  Record<string, (script: string, words: readonly string[]) => string>
> = {
  bash: (script, words) =>
    `source ${script}; COMP_WORDS=(${words.map(word => `'${word}'`).join(' ')}); ` +
    `COMP_CWORD=${words.length - 1}; _latchkey; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // compadd only works inside of a completion: here it prints what matches.
  zsh: (script, words) =>
    'compdef() { }; _files() { }; compadd() { shift; print -l -- ${(M)@:#$words[CURRENT]*} }; ' +
    `source ${script}; words=(${words.map(word => `'${word}'`).join(' ')}); ` +
    `CURRENT=${words.length}; _latchkey`,
  fish: (script, words) =>
    `source ${script}; complete -C '${words.join(' ')}' | string replace -r '\\t.*' ''`,
}

/** What the documentation has for a shell, without the program's name. */
function typed(shell: string): string {
  const page = blockOf('docs/cli.md', 'source <(latchkey')
  const command = new RegExp(`latchkey (completion ${shell})\\b`).exec(page)?.[1]
  if (command === undefined) throw new Error(`docs/cli.md has nothing for ${shell}`)
  return command
}

for (const [shell, ask] of Object.entries(ASK)) {
  t.test(`${shell} completes commands, verbs and options`, async t => {
    const { latchkey, directory } = commandLine(t)
    const script = join(directory, `completion.${shell}`)
    writeFileSync(script, (await latchkey(typed(shell))).out)
    const complete = (...words: string[]) => {
      const args = ['-c', ask(script, ['latchkey', ...words])]
      const { stdout, stderr, error } = spawnSync(shell, args, {
        encoding: 'utf8',
        cwd: directory,
      })
      if (error !== undefined) throw new Error(`${shell} is not on the PATH: install it`)
      t.equal(stderr, '')
      return stdout.split('\n').filter(Boolean)
    }
    t.same(complete('us'), ['users'])
    t.same(complete('users', 'pass'), ['passwd'])
    t.same(complete('passwords', 'blocklist', 'b'), ['build'])
    t.same(complete('--config', 'x.yaml', 'users', 'remove', 'alice', '--y'), ['--yes'])
    t.same(complete('completion', 'f'), ['fish'])
    t.ok(complete('--').includes('--json'), 'global options')
  })
}
