// Running the tools that the deployment is checked with.
import { execFile } from 'node:child_process'
import { endWithUs } from '../../support/children.ts'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds; default two minutes. */
  readonly timeout?: number
  /** What the command reads. */
  readonly input?: string
}

/** The top of the project. */
export const PROJECT = new URL('../../..', import.meta.url).pathname

const MISSING: Readonly<Record<string, string>> = {
  buildah: 'apt-get install buildah',
  registry: 'go install github.com/google/go-containerregistry/cmd/registry@v0.22.1',

  promtool: 'apt-get install prometheus',
  kubeconform: 'go install github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
  'kube-score': 'go install github.com/zegl/kube-score/cmd/kube-score@v1.20.0',
  'compose-spec': 'as .ci/run does',
  'systemd-analyze': 'apt-get install systemd',
  helm: 'go install helm.sh/helm/v3/cmd/helm@v3.22.0',
}

/**
 * Runs a command to its end, whatever its exit code. Throws when the command isn't there, saying how to get
 * it.
 */
export function run(
  command: string,
  args: readonly string[],
  { cwd = PROJECT, env = process.env, timeout = 120_000, input }: RunOptions = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      [...args],
      {
        cwd,
        env: { ...env, PATH: searchPath() },
        timeout,
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error !== null && error.code === 'ENOENT') {
          reject(
            new Error(
              `${command} is not on the PATH: ${MISSING[command] ?? 'install it'}`,
            ),
          )
        } else if (error !== null && typeof error.code !== 'number') reject(error)
        else resolve({ code: Number(error?.code ?? 0), stdout, stderr })
      },
    )
    endWithUs(child).stdin?.end(input)
  })
}

/** Runs a command that has to succeed; gives what it printed. */
export async function runWell(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options)
  if (code !== 0) {
    throw new Error(
      `${command} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`,
    )
  }
  return stdout
}

/** The PATH, and where `go install` puts programs. */
export function searchPath(): string {
  const { PATH, GOBIN, GOPATH, HOME } = process.env
  return [PATH, GOBIN ?? `${GOPATH ?? `${HOME}/go`}/bin`].join(':')
}
