// Builds the Dockerfile without a container engine and lets the result run as a strict cluster would run it.
// Needs root, as engines do.
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runWell } from './commands.ts'

/** What an image says of itself. */
export interface ImageConfig {
  readonly User: string
  readonly Env: readonly string[]
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly WorkingDir: string
  readonly StopSignal: string
  readonly ExposedPorts: Readonly<Record<string, unknown>>
  readonly Labels: Readonly<Record<string, string>>
  readonly Healthcheck?: unknown
}

export interface BuiltImage {
  /** Digest of the configuration, and so of everything in the image. */
  readonly id: string
  readonly config: ImageConfig
  /** Where its file system is. */
  readonly root: string
  /** Bytes of what was added to the base. */
  readonly bytesAboveBase: number
  /**
   * Writes a program that starts the image with arguments in place of its CMD; `dir` is the only place where
   * it can write, beside /tmp.
   */
  starter(dir: string, args?: readonly string[]): Promise<string>
  /** The same for a command in place of its ENTRYPOINT, as `docker exec` runs one. */
  execer(dir: string, command: readonly string[]): Promise<string>
}

export interface Builder {
  build(): Promise<BuiltImage>
  /** The environment in which scripts/release builds upon the same bases. */
  readonly release: Readonly<Record<string, string>>
  /** Removes everything that was built. */
  remove(): Promise<void>
}

const RUN_IMAGE = new URL('./run-image.sh', import.meta.url).pathname

/**
 * Makes the stand-ins for the base images, which no registry gives us here: this Node with the libraries that
 * it needs, and nothing else.
 */
export async function createBuilder(): Promise<Builder> {
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-image-'))
  // Its user has to reach what is below.
  await chmod(dir, 0o755)
  const global = [
    '--root',
    join(dir, 'storage'),
    '--runroot',
    join(dir, 'run'),
    '--storage-driver',
    'vfs',
  ]
  const buildah = async (...args: string[]) =>
    (
      await runWell('buildah', [...global, ...args], {
        env: { ...process.env, BUILDAH_ISOLATION: 'chroot' },
        timeout: 300_000,
      })
    ).trim()
  await makeBases(dir, buildah)

  return {
    build: () => buildImage(dir, buildah),
    release: {
      BUILDAH: ['buildah', ...global].join(' '),
      BUILDAH_ISOLATION: 'chroot',
      BUILD_IMAGE: `${BUILD_BASE}-all`,
      RUNTIME_IMAGE: `${RUNTIME_BASE}-all`,
      BUILD_ARGS: ['--pull-never', ...MOUNTS].join(' '),
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  }
}

/** npm and a shell for the build stage. */
const MOUNTS = ['--volume', '/usr:/usr:ro', '--volume', '/etc/ssl:/etc/ssl:ro']

type Buildah = (...args: string[]) => Promise<string>

const RUNTIME_BASE = 'localhost/base-runtime:1'
const BUILD_BASE = 'localhost/base-build:1'

async function makeBases(dir: string, buildah: Buildah): Promise<void> {
  const root = join(dir, 'base')
  await mkdir(join(root, 'opt/node/bin'), { recursive: true })
  for (const folder of [
    'etc',
    'tmp',
    'proc',
    'sys',
    'dev',
    'usr/bin',
    'usr/lib',
    'usr/lib64',
  ]) {
    await mkdir(join(root, folder), { recursive: true })
  }
  for (const folder of ['bin', 'lib', 'lib64']) {
    await symlink(`usr/${folder}`, join(root, folder))
  }
  await copyFile(process.execPath, join(root, 'opt/node/bin/node'))
  const libraries = (await runWell('ldd', [process.execPath])).match(/\/lib\S*/g) ?? []
  for (const library of libraries) {
    await mkdir(join(root, 'usr', dirname(library)), { recursive: true })
    await copyFile(library, join(root, 'usr', library))
  }
  const container = await buildah('from', 'scratch')
  await buildah('copy', '--quiet', container, root, '/')
  await buildah('config', '--env', 'PATH=/opt/node/bin:/usr/bin', container)
  await commit(container, RUNTIME_BASE, buildah)
  // Distroless images lack it: it comes from the other base.
  await buildah('copy', '--quiet', container, '/usr/bin/env', '/usr/bin/env')
  // The build stage also gets npm and a shell, by a mount of this machine's; a registry's own certificate is
  // no business of the Dockerfile.
  await buildah(
    'config',
    ...buildEnvironment().flatMap(line => ['--env', line]),
    container,
  )
  await commit(container, BUILD_BASE, buildah)
}

/**
 * Makes an image of a container, and a list of it for each architecture, under the name that ends in `-all`:
 * scripts/release builds upon both. Nothing of an image for arm64 is run here, so its files may be of any.
 */
async function commit(container: string, name: string, buildah: Buildah): Promise<void> {
  const list = `${name}-all`
  await buildah('manifest', 'create', list)
  for (const [architecture, tag] of [
    ['arm64', `${name}-arm64`],
    ['amd64', name],
  ] as const) {
    await buildah('config', '--arch', architecture, container)
    await buildah('commit', '--quiet', container, tag)
    await buildah('manifest', 'add', '--arch', architecture, list, tag)
  }
}

function buildEnvironment(): string[] {
  const { NODE_EXTRA_CA_CERTS } = process.env
  return [
    'HOME=/tmp',
    ...(NODE_EXTRA_CA_CERTS === undefined
      ? []
      : [`NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS}`]),
  ]
}

async function buildImage(dir: string, buildah: Buildah): Promise<BuiltImage> {
  const tag = 'localhost/latchkey:test'
  await buildah(
    'bud',
    '--pull-never',
    '--timestamp',
    '0',
    '--quiet',
    '--tag',
    tag,
    '--build-arg',
    `BUILD_IMAGE=${BUILD_BASE}`,
    '--build-arg',
    `RUNTIME_IMAGE=${RUNTIME_BASE}`,
    '--build-arg',
    'REVISION=test',
    ...MOUNTS,
    '.',
  )
  const inspected = JSON.parse(await buildah('inspect', '--type', 'image', tag))
  const config: ImageConfig = inspected.OCIv1.config
  const container = await buildah('from', '--pull-never', tag)
  const root = await buildah('mount', container)
  return {
    id: inspected.FromImageID,
    config,
    root,
    bytesAboveBase: await diskUsage(join(root, 'app')),
    starter: (writable, args = config.Cmd) =>
      writeStarter({
        dir,
        root,
        config,
        writable,
        command: [...config.Entrypoint, ...args],
      }),
    execer: (writable, command) => writeStarter({ dir, root, config, writable, command }),
  }
}

async function diskUsage(path: string): Promise<number> {
  return Number((await runWell('du', ['-sb', path])).split('\t')[0])
}

interface Starter {
  readonly dir: string
  readonly root: string
  readonly config: ImageConfig
  readonly writable: string
  readonly command: readonly string[]
}

async function writeStarter({
  dir,
  root,
  config,
  writable,
  command,
}: Starter): Promise<string> {
  const { User, Env, WorkingDir } = config
  const [uid = '', gid = ''] = User.split(':')
  const file = join(dir, `start-${command.join('-').replaceAll(/[^a-z-]/g, '')}.sh`)
  const words = [RUN_IMAGE, root, uid, gid, writable, ...command]
  // What the caller's environment sets goes before what the image sets, as with `docker run --env`.
  const lines = [
    '#!/bin/sh',
    ...Env.filter(line => !line.startsWith('PATH=')).map(
      line =>
        `export ${line.replace(/=(.*)$/s, (_all, value: string) => `="\${${line.split('=')[0]}-${value}}"`)}`,
    ),
    `export PATH="$PATH:${Env.find(line => line.startsWith('PATH='))?.slice(5)}"`,
    `exec ${words.map(word => `'${word}'`).join(' ')}`,
  ]
  if (WorkingDir !== '/app') {
    throw new Error('run-image.sh starts in /, which is fine for absolute paths only')
  }
  await writeFile(file, lines.join('\n') + '\n', { mode: 0o755 })
  return file
}
