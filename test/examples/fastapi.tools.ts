// examples/fastapi, run as its README says.
import { python } from '../support/python.ts'
import { checkResourceServer } from '../support/resource-server.ts'

checkResourceServer({ name: 'fastapi', command: await python(), args: port => ['-m', 'uvicorn', 'main:app', '--port', String(port)] })
