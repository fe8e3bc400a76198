// examples/fastify, run as its README says.
import { checkResourceServer } from '../support/resource-server.ts'

checkResourceServer({ name: 'fastify', command: process.execPath, args: () => ['server.ts'] })
