// examples/spring-boot, built by Maven.
import { join } from 'node:path'
import { checkResourceServer } from '../support/resource-server.ts'
import { buildProgram } from '../support/toolchain.ts'

const folder = await buildProgram({
  name: 'spring-boot',
  command: 'mvn',
  args: folder => ['--quiet', '--batch-mode', 'package', `-DbuildDirectory=${folder}`],
  install: 'Maven and a JDK (apt-get install maven default-jdk-headless)',
})

checkResourceServer({ name: 'spring-boot', command: 'java', args: () => ['-jar', join(folder, 'orders.jar')] })
