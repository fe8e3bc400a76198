// The process tests of test/e2e against another Latchkey than the checkout's: the image's, the package's.
import type { Test } from 'tap'
import { run } from './commands.ts'

const SECONDS = 400

/**
 * Asserts that the process tests pass against `command`, a program that serves as `latchkey serve` does, and
 * that none is skipped. They have 400 seconds.
 *
 * @param env more for the environment of the tests
 */
export async function passProcessTests(
  t: Test,
  command: string,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  // The test runner's own variables would make the inner run a part of this one, and the file that this run's
  // results go to the inner one's.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(_?TAP|NODE_OPTIONS$)/.test(name),
  )
  // Without the runner: a second one in this folder would clear away what the first one keeps there.
  const { code, stdout, stderr } = await run(
    process.execPath,
    ['test/e2e/process.test.ts'],
    {
      env: {
        ...Object.fromEntries(inherited),
        LATCHKEY_TEST_COMMAND: command,
        // Without the runner a file has 30 seconds, unless this says otherwise.
        TAP_TIMEOUT: String(SECONDS),
        ...env,
      },
      timeout: SECONDS * 1_000,
    },
  )
  t.equal(code, 0, stdout + stderr)
  t.match(stdout, /^# \{ total: [1-9]\d*, pass: [1-9]/m)
  t.notMatch(stdout, /not ok|# skip/i)
}
