// Verifiers of other languages: processes that read a token a line and write a verdict a line.
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startChild } from '../../support/children.ts'
import { PROGRAMS } from '../../support/programs.ts'
import { python } from '../../support/python.ts'
import { buildProgram } from '../../support/toolchain.ts'
import type { HandTime } from './hand-time.ts'
import type { Expected, Verifier } from './node.ts'

const HERE = import.meta.dirname

/** How a verifier is started, and what it is sent for a token. */
interface Program {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Record<string, string>
  readonly line?: (token: string) => string
}

function start(
  { name, command, args, env, line = token => token }: Program,
  { issuer, audience }: Expected,
): Verifier {
  const { PATH, HOME } = process.env
  const child = startChild(command, args, {
    env: {
      PATH,
      HOME,
      ISSUER: issuer,
      AUDIENCE: audience,
      ...env,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  // Answers come in the order of the questions.
  const waiting: Array<PromiseWithResolvers<string>> = []
  createInterface(child.stdout).on('line', verdict => {
    waiting.shift()?.resolve(verdict)
  })
  child.once('exit', code => {
    for (const { reject } of waiting) {
      reject(new Error(`the verifier ${name} ended with ${code}`))
    }
  })
  return {
    name,
    verdict(token) {
      const answer = Promise.withResolvers<string>()
      waiting.push(answer)
      child.stdin.write(`${line(token)}\n`)
      return answer.promise
    },
    async stop() {
      child.stdin.end()
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function spring({ env }: HandTime): Promise<Program> {
  const built = await buildProgram(PROGRAMS.springVerifier)
  const args = [
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `@${join(built, 'arguments')}`,
    'Verifier',
  ]
  // A virtual machine whose monotonic clock stands still doesn't run.
  return {
    name: 'Spring Security (Nimbus)',
    command: 'java',
    args,
    env: { ...env, FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' },
  }
}

async function goOidc(): Promise<Program> {
  // Its programs ask the kernel for the time themselves; it is told with the token.
  return {
    name: 'go-oidc',
    command: join(await buildProgram(PROGRAMS.goOidc), 'verifier'),
    args: [],
    env: {},
    line: token => `${Math.floor(Date.now() / 1000)} ${token}`,
  }
}

/** All of them. */
export async function otherVerifiers(
  time: HandTime,
  expected: Expected,
): Promise<Verifier[]> {
  const interpreter = await python()
  const script = join(HERE, 'verifier.py')
  const programs = [
    {
      name: 'PyJWT',
      command: interpreter,
      args: [script, 'pyjwt'],
      env: time.env,
    },
    {
      name: 'Flask-JWT-Extended',
      command: interpreter,
      args: [script, 'flask-jwt-extended'],
      env: time.env,
    },
    await goOidc(),
    await spring(time),
  ]
  return programs.map(program => start(program, expected))
}
