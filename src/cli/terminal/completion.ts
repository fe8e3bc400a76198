// latchkey completion bash | zsh | fish: what a shell completes, taken from the commands themselves.
import { Argument, type Command } from 'commander'
import type { Io } from './io.ts'
import { addExamples } from './examples.ts'
import { withTools } from '../tools.ts'

const EXAMPLES = [
  'source <(latchkey completion bash)      # in ~/.bashrc',
  'source <(latchkey completion zsh)       # in ~/.zshrc, after compinit',
  'latchkey completion fish > ~/.config/fish/completions/latchkey.fish',
]

/** What may follow a path of commands, such as `users add`. */
interface Place {
  readonly path: string
  readonly words: readonly string[]
}

const SHELLS = ['bash', 'zsh', 'fish']
const EVERYWHERE = ['--config', '--json', '--help']

/** Adds `completion`, last: it knows the commands before it. */
export function addCompletion(program: Command, io: Io): void {
  const completion = program
    .command('completion')
    .description('completion for a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .action(
      withTools(io, async ({ print }, shell: string) => {
        const script = scriptFor(shell, placesOf(program, ''))
        print({ shell, script }, script.split('\n'))
      }),
    )
  addExamples(completion, 'Examples:', EXAMPLES)
}

function scriptFor(shell: string, places: readonly Place[]): string {
  if (shell === 'bash') return bashScript(places)
  return shell === 'zsh' ? zshScript(places) : fishScript(places)
}

function placesOf(command: Command, path: string): Place[] {
  const words = new Set([
    ...command.commands.map(child => child.name()),
    ...command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
    ...command.options.map(option => `--${option.name()}`),
    ...EVERYWHERE,
  ])
  return [
    { path, words: [...words] },
    ...command.commands.flatMap(child => placesOf(child, `${path} ${child.name()}`)),
  ]
}

/** The arms of a `case` over the path, which begins with a blank unless it is empty. */
function armsOf(places: readonly Place[]): string {
  return places
    .map(({ path, words }) => `    "${path}") options="${words.join(' ')}" ;;`)
    .join('\n')
}

function pathsOf(places: readonly Place[]): string {
  return places
    .filter(({ path }) => path !== '')
    .map(({ path }) => `"${path}"`)
    .join('|')
}

function bashScript(places: readonly Place[]): string {
  return `_latchkey() {
  local word path= options=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in ${pathsOf(places)}) path="$path $word" ;; esac
  done
  case "$path" in
${armsOf(places)}
  esac
  COMPREPLY=($(compgen -W "$options" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _latchkey latchkey`
}

function zshScript(places: readonly Place[]): string {
  return `#compdef latchkey
_latchkey() {
  local word at options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in ${pathsOf(places)}) at="$at $word" ;; esac
  done
  case "$at" in
${armsOf(places)}
  esac
  compadd -- \${=options} || _files
}
compdef _latchkey latchkey`
}

function fishScript(places: readonly Place[]): string {
  const paths = places.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`])).join(' ')
  return `function __latchkey_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    contains -- "$at $word" ${paths}; and set at "$at $word"
  end
  test "$at" = "$argv[1]"
end
${places
  .map(
    ({ path, words }) =>
      `complete -c latchkey -n "__latchkey_at '${path}'" -a '${words.join(' ')}'`,
  )
  .join('\n')}`
}
