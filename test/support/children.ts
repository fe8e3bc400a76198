// Processes that end with the test process, however that one ends: tap kills a file that takes too long, and
// then no handler of ours runs. A shell beside us reads which they are, and ends them when its input does.
import { type ChildProcess, execFile, spawn, type SpawnOptions } from 'node:child_process'
import { promisify } from 'node:util'

// Blanks stand around each id in `pids`. A process that leads a group takes its group along: nginx's workers
// outlive a master that is killed.
const WATCHDOG = `
trap '' HUP INT TERM
pids=' '
while read -r change pid; do
  case $change in
    started) pids="$pids$pid " ;;
    ended) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
for pid in $pids; do
  kill -9 "-$pid" 2>/dev/null
  kill -9 "$pid" 2>/dev/null
done
`

let watchdog: ChildProcess | undefined

function note(change: 'started' | 'ended', pid: number): void {
  watchdog ??= startWatchdog()
  // Written at once: what comes after this line may be our end.
  watchdog.stdin?.write(`${change} ${pid}\n`)
}

// In a group of its own, so that what ends ours by its group doesn't end it.
function startWatchdog(): ChildProcess {
  const child = spawn('/bin/sh', ['-c', WATCHDOG], {
    detached: true,
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  child.stdin.on('error', () => {})
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') {
    child.stdin.unref()
  }
  return child
}

/** Makes a process that has just been started end when this one does, by whatever means. */
export function endWithUs<Child extends ChildProcess>(child: Child): Child {
  const { pid } = child
  // There is none where the command isn't there: `error` says so.
  if (pid === undefined) return child
  note('started', pid)
  child.once('exit', () => note('ended', pid))
  return child
}

/** As `spawn`, for a process that ends when this one does, with all that it starts itself. */
export const startChild = ((
  command: string,
  args: readonly string[],
  options: SpawnOptions,
) => endWithUs(spawn(command, args, { ...options, detached: true }))) as typeof spawn

const execute = promisify(execFile)

/** As `execFile`, for a process that ends when this one does. */
export const runChild = ((...args: Parameters<typeof execute>) => {
  const running = execute(...args)
  endWithUs(running.child)
  return running
}) as typeof execute
