// examples/express, run as its README says.
import { checkResourceServer } from '../support/resource-server.ts'

checkResourceServer({ name: 'express', command: process.execPath, args: () => ['server.ts'] })
