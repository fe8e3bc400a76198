// examples/flask, run as its README says.
import { python } from '../support/python.ts'
import { checkResourceServer } from '../support/resource-server.ts'

checkResourceServer({ name: 'flask', command: await python(), args: port => ['-m', 'flask', '--app', 'app', 'run', '--port', String(port)] })
