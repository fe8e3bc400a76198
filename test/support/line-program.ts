// Verifiers in other languages: a program that answers each line of its input by a line.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { startChild } from './children.ts'

/** A running one. */
export interface LineProgram {
  /** The line that answers this one; without a line, the next that the program writes by itself. */
  ask(line?: string): Promise<string>
  stop(): Promise<void>
}

/** Starts one. Whatever is still to be answered when it ends is rejected with its exit code. */
export function startLineProgram(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
): LineProgram {
  const { PATH, HOME } = process.env
  const child = startChild(command, args, {
    env: { PATH, HOME, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  // Answers come in the order of the questions.
  const lines: string[] = []
  const waiting: Array<PromiseWithResolvers<string>> = []
  createInterface(child.stdout).on('line', line => {
    const next = waiting.shift()
    if (next === undefined) lines.push(line)
    else next.resolve(line)
  })
  child.once('exit', code => {
    for (const { reject } of waiting) reject(new Error(`${command} ended with ${code}`))
  })
  return {
    async ask(line) {
      if (child.exitCode !== null) throw new Error(`${command} has ended`)
      if (line !== undefined) child.stdin.write(`${line}\n`)
      const known = lines.shift()
      if (known !== undefined) return known
      const answer = Promise.withResolvers<string>()
      waiting.push(answer)
      return answer.promise
    },
    async stop() {
      child.stdin.end()
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Starts one that ends with the test. */
export function lineProgramFor(
  t: Test,
  ...args: Parameters<typeof startLineProgram>
): LineProgram {
  const program = startLineProgram(...args)
  t.teardown(() => program.stop())
  return program
}
