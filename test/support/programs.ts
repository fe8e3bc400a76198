// The programs in other languages that the suites build, each once: scripts/build-programs.ts builds all of
// them ahead, CI while other suites run.
import { join } from 'node:path'
import { type Build, buildProgram } from './toolchain.ts'

const GO = { command: 'go', install: 'Go 1.26 or newer' }
const CARGO = {
  command: 'cargo',
  args: () => ['build', '--quiet', '--locked'],
  install: 'Rust 1.88 or newer',
}
const MAVEN = {
  command: 'mvn',
  install: 'Maven and a JDK (apt-get install maven default-jdk-headless)',
}

const goBuild = (program: string) => (folder: string) => [
  'build',
  '-o',
  join(folder, program),
  '.',
]

/** Maven with these goals; a classpath goes into `classpath`. */
const maven =
  (...goals: string[]) =>
  (folder: string) => [
    '--quiet',
    '--batch-mode',
    `-DbuildDirectory=${folder}`,
    `-Dmdep.outputFile=${join(folder, 'classpath')}`,
    ...goals,
  ]
const CLASSPATH = maven('dependency:build-classpath')

const ROOT = join(import.meta.dirname, '../..')

export const PROGRAMS = {
  openidconnect: {
    name: 'openidconnect',
    source: 'test/interop/openidconnect',
    ...CARGO,
  },
  rust: { name: 'rust', ...CARGO },
  go: { name: 'go', args: goBuild('orders'), ...GO },
  goClient: {
    name: 'go-client',
    source: 'test/users/go',
    args: goBuild('logins'),
    ...GO,
  },
  goMachine: {
    name: 'go-machine',
    source: 'test/interop/go',
    args: goBuild('machine'),
    ...GO,
  },
  goOidc: {
    name: 'go-oidc',
    source: 'test/keys/verifiers/go-oidc',
    args: goBuild('verifier'),
    ...GO,
  },
  quarkus: {
    name: 'quarkus',
    source: 'test/interop/quarkus',
    args: maven('package'),
    ...MAVEN,
  },
  spring: { name: 'spring', source: 'test/interop/spring', args: CLASSPATH, ...MAVEN },
  springBoot: { name: 'spring-boot', args: maven('package'), ...MAVEN },
  springVerifier: {
    name: 'spring-verifier',
    source: 'test/keys/verifiers/spring',
    args: CLASSPATH,
    then: javac('test/keys/verifiers/spring/Verifier.java'),
    ...MAVEN,
  },
  pac4j: {
    name: 'pac4j',
    source: 'test/interop/pac4j',
    args: CLASSPATH,
    then: javac('test/interop/pac4j/Verifier.java'),
    ...MAVEN,
  },
  scimSdk: {
    name: 'scim-sdk',
    source: 'test/interop/scim-sdk',
    args: CLASSPATH,
    then: javac('test/interop/scim-sdk/Life.java'),
    ...MAVEN,
  },
  verifierPackage: {
    name: 'latchkey-verifier',
    source: 'packages/latchkey-verifier',
    command: 'npm',
    args: (folder: string) => ['pack', '--pack-destination', folder],
    install: 'Node.js',
  },
  springHashes: {
    name: 'spring-hashes',
    source: 'test/users/spring',
    args: CLASSPATH,
    ...MAVEN,
  },
} satisfies Record<string, Build>

/** Java's arguments for what is in the folder are in `arguments`. */
function javac(source: string): string {
  return (
    `printf -- '-cp\\n%s:%s\\n' "$(cat classpath)" "$PWD" >arguments && ` +
    `javac @arguments -d . '${join(ROOT, source)}'`
  )
}

/** Builds all of them, those that take longest first; what fails is left to the suite that needs it. */
export async function buildAll(): Promise<void> {
  for (const program of Object.values(PROGRAMS)) {
    const startedAt = performance.now()
    const outcome = await buildProgram(program).then(
      () => 'built',
      (error: Error) => `not built: ${error.message}`,
    )
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    console.log(`${program.name}: ${outcome}, ${seconds} s`)
  }
}
