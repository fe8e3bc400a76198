// Verifiers of other languages: processes that read a token a line and write a verdict a line.
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { runChild, startChild } from '../../support/children.ts'
import { python } from '../../support/python.ts'
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

/** Runs a tool of the machine; says what brings it when there is none. */
async function tool(
  command: string,
  args: readonly string[],
  { cwd, hint }: { readonly cwd: string; readonly hint: string },
): Promise<string> {
  const { stdout } = await runChild(command, args, { cwd }).catch(
    (cause: NodeJS.ErrnoException) => {
      throw cause.code === 'ENOENT'
        ? new Error(`${command} is not on the PATH: install it (${hint})`, { cause })
        : cause
    },
  )
  return stdout.trim()
}

async function spring(built: string, { env }: HandTime): Promise<Program> {
  const [cwd, hint] = [join(HERE, 'spring'), 'apt-get install maven default-jdk-headless']
  const file = join(built, 'classpath')
  await tool(
    'mvn',
    [
      '--quiet',
      '--batch-mode',
      'dependency:build-classpath',
      `-Dmdep.outputFile=${file}`,
    ],
    { cwd, hint },
  )
  const classpath = await tool('cat', [file], { cwd, hint })
  await tool('javac', ['-cp', classpath, '-d', built, 'Verifier.java'], { cwd, hint })
  const args = [
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-cp',
    `${classpath}:${built}`,
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

async function goOidc(built: string): Promise<Program> {
  const command = join(built, 'go-oidc')
  await tool('go', ['build', '-o', command, '.'], {
    cwd: join(HERE, 'go-oidc'),
    hint: 'golang',
  })
  // Its programs ask the kernel for the time themselves; it is told with the token.
  return {
    name: 'go-oidc',
    command,
    args: [],
    env: {},
    line: token => `${Math.floor(Date.now() / 1000)} ${token}`,
  }
}

/** All of them; what is built is put into that folder. */
export async function otherVerifiers(
  built: string,
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
    await goOidc(built),
    await spring(built, time),
  ]
  return programs.map(program => start(program, expected))
}
